// Compiles packages/bytes/src/kernel.wat into packages/bytes/src/kernel-wasm-bytes.ts.
// Run it after a change of the .wat: node scripts/build-kernel.mjs
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import wabt from 'wabt';

const source = new URL('../packages/bytes/src/kernel.wat', import.meta.url);
const target = new URL('../packages/bytes/src/kernel-wasm-bytes.ts', import.meta.url);

/** @returns the module's bytes (custom sections left out) and where in them the flags of its memory import are. */
export async function compileKernel() {
  const { parseWat } = await wabt();
  const features = { simd: true, bulk_memory: true, threads: true };
  const module = parseWat('kernel.wat', await readFile(source, 'utf8'), features);
  try {
    module.validate(features);
    const bytes = module.toBinary({ write_debug_names: false }).buffer;
    // The import section's entry: module "m", field "m", kind 2 (memory), limits flags 1 (a maximum, not shared).
    const entry = [1, 0x6d, 1, 0x6d, 2, 1];
    const at = bytes.findIndex((_, i) => entry.every((byte, j) => bytes[i + j] === byte));
    if (at < 0) throw new Error('kernel.wat: the memory import is not where the loader expects it');
    return { bytes, memoryFlagsOffset: at + entry.length - 1 };
  } finally {
    module.destroy();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { bytes, memoryFlagsOffset } = await compileKernel();
  const base64 = Buffer.from(bytes).toString('base64');
  const lines = base64.match(/.{1,110}/g).map((line, i) => `${i === 0 ? '  ' : '    '}'${line}'`);
  await writeFile(
    target,
    `/** Made from kernel.wat by scripts/build-kernel.mjs; a test holds them equal. ${bytes.length} bytes of WASM. */
export const KERNEL_WASM_BASE64 =
${lines.join(' +\n')};

/** Where the flags of the memory import's limits are: 1 for a memory of one thread, 3 for a shared one. */
export const KERNEL_MEMORY_FLAGS_OFFSET = ${memoryFlagsOffset};
`,
  );
  console.log(`kernel.wat: ${bytes.length} bytes of WASM`);
}
