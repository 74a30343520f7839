import type { Kernel, KernelMemory } from './kernel.ts';
import { KERNEL_MEMORY_FLAGS_OFFSET, KERNEL_WASM_BASE64 } from './kernel-wasm-bytes.ts';

/** What kernel.wat exports. */
interface KernelExports {
  copy(dst: number, src: number, len: number): void;
  fill(addr: number, value: number, len: number): void;
  sum(addr: number, len: number): number;
  copySum(dst: number, src: number, len: number): number;
}

const LIMITS_WITH_MAXIMUM = 1;
const LIMITS_SHARED_WITH_MAXIMUM = 3;

let moduleOfThread: WebAssembly.Module | undefined;
let sharedModuleOfThread: WebAssembly.Module | undefined;

/** The kernel's code for a shared memory or one of a thread: they differ in one flag of the import. */
function compile(shared: boolean): WebAssembly.Module {
  const known = shared ? sharedModuleOfThread : moduleOfThread;
  if (known !== undefined) return known;
  const bytes = Uint8Array.from(atob(KERNEL_WASM_BASE64), (char) => char.charCodeAt(0));
  bytes[KERNEL_MEMORY_FLAGS_OFFSET] = shared ? LIMITS_SHARED_WITH_MAXIMUM : LIMITS_WITH_MAXIMUM;
  // Synchronous: under 2 KB, which every browser lets the main thread compile.
  const module = new WebAssembly.Module(bytes);
  if (shared) sharedModuleOfThread = module;
  else moduleOfThread = module;
  return module;
}

/** The kernel in WebAssembly with 128-bit SIMD, over a WebAssembly.Memory. */
export class WasmKernel implements Kernel {
  readonly kind = 'wasm';
  readonly copy: KernelExports['copy'];
  readonly fill: KernelExports['fill'];
  readonly sum: KernelExports['sum'];
  readonly copySum: KernelExports['copySum'];

  /** @throws Error when there is no WebAssembly.Memory, or WASM or its SIMD is refused. */
  constructor(memory: KernelMemory) {
    if (memory.wasm === undefined) throw new Error('the WASM kernel needs a memory made by WebAssembly');
    const instance = new WebAssembly.Instance(compile(memory.shared), { m: { m: memory.wasm } });
    const exports = instance.exports as unknown as KernelExports;
    // The exported functions themselves: V8 calls them without a frame of JavaScript between.
    this.copy = exports.copy;
    this.fill = exports.fill;
    this.sum = exports.sum;
    this.copySum = exports.copySum;
  }
}
