import { createKernel, type Kernel, type KernelKind } from './kernel.ts';

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 1 << PAGE_SHIFT;

/** The largest machine memory: addresses stay positive int32 values, which V8 keeps unboxed. */
export const MAX_MEMORY_BYTES = 0x7fff_0000;

const WASM_PAGE_BYTES = 0x1_0000;

export interface MemoryOptions {
  /** Size in bytes, rounded up to 64 KiB. It never grows: growing would detach every view. */
  readonly bytes: number;
  /** Whether other threads may attach; needs SharedArrayBuffer. Default false. */
  readonly shared?: boolean;
  /** `auto` (default) takes WASM where it is allowed and falls back to TypeScript. */
  readonly kernel?: KernelKind | 'auto';
}

/** What another thread needs to attach to the same memory; survives structured clone. */
export interface MemoryHandle {
  readonly wasm: WebAssembly.Memory | undefined;
  readonly buffer: ArrayBufferLike;
  readonly kernel: KernelKind;
}

/**
 * The memory of one machine. A packet, a page, a ring are addresses in it (byte offsets, never 0: address 0 means
 * "none"). One set of views serves everybody; nothing on the data path makes a view of its own.
 */
export class Memory {
  readonly buffer: ArrayBufferLike;
  readonly bytes: number;
  readonly shared: boolean;
  readonly wasm: WebAssembly.Memory | undefined;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;
  readonly f64: Float64Array;
  /** For big-endian fields: `view.getUint16(addr)`. V8 turns these into one load and a byte swap. */
  readonly view: DataView;
  readonly kernel: Kernel;

  private constructor(handle: MemoryHandle) {
    this.wasm = handle.wasm;
    this.buffer = handle.buffer;
    this.bytes = handle.buffer.byteLength;
    this.shared = typeof SharedArrayBuffer !== 'undefined' && handle.buffer instanceof SharedArrayBuffer;
    this.u8 = new Uint8Array(this.buffer);
    this.u16 = new Uint16Array(this.buffer);
    this.u32 = new Uint32Array(this.buffer);
    this.i32 = new Int32Array(this.buffer);
    this.i64 = new BigInt64Array(this.buffer);
    this.f64 = new Float64Array(this.buffer);
    this.view = new DataView(this.buffer);
    this.kernel = createKernel(handle.kernel, this);
  }

  /**
   * Makes a zeroed memory.
   * @throws RangeError when the size is not in 1..MAX_MEMORY_BYTES or cannot be had.
   * @throws Error when it shall be shared and SharedArrayBuffer is missing, or when WASM is asked for and refused.
   */
  static create(options: MemoryOptions): Memory {
    const { bytes, shared = false, kernel = 'auto' } = options;
    if (!(bytes > 0 && bytes <= MAX_MEMORY_BYTES)) {
      throw new RangeError(`memory of ${bytes} bytes: the size must be in 1..${MAX_MEMORY_BYTES}`);
    }
    if (shared && typeof SharedArrayBuffer === 'undefined') {
      throw new Error('SharedArrayBuffer is missing: threads need it (in a browser: cross-origin isolation)');
    }
    if (kernel === 'wasm' && typeof WebAssembly === 'undefined') throw new Error('WebAssembly is missing');
    const wasmPages = Math.ceil(bytes / WASM_PAGE_BYTES);
    if (kernel !== 'typescript' && typeof WebAssembly !== 'undefined') {
      try {
        const wasm = new WebAssembly.Memory({ initial: wasmPages, maximum: wasmPages, shared });
        return new Memory({ wasm, buffer: wasm.buffer, kernel: 'wasm' });
      } catch (error) {
        if (kernel === 'wasm') throw error;
      }
    }
    const size = wasmPages * WASM_PAGE_BYTES;
    const buffer = shared ? new SharedArrayBuffer(size) : new ArrayBuffer(size);
    return new Memory({ wasm: undefined, buffer, kernel: 'typescript' });
  }

  /** The same memory as seen from another thread. */
  static attach(handle: MemoryHandle): Memory {
    return new Memory(handle);
  }

  get handle(): MemoryHandle {
    return { wasm: this.wasm, buffer: this.buffer, kernel: this.kernel.kind };
  }
}
