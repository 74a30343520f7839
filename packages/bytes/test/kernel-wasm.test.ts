import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { compileKernel } from '../../../scripts/build-kernel.mjs';
import { KERNEL_MEMORY_FLAGS_OFFSET, KERNEL_WASM_BASE64 } from '../src/kernel-wasm-bytes.ts';

describe('the WASM kernel', () => {
  it('is what kernel.wat compiles to, in less than 2 KB', async () => {
    const { bytes, memoryFlagsOffset } = await compileKernel();
    expect(KERNEL_WASM_BASE64, 'run node scripts/build-kernel.mjs').toBe(Buffer.from(bytes).toString('base64'));
    expect(KERNEL_MEMORY_FLAGS_OFFSET).toBe(memoryFlagsOffset);
    expect(bytes.length).toBeLessThan(2048);
  });
});

describe('a place without WASM', () => {
  beforeEach(() => vi.resetModules());
  afterEach(() => vi.unstubAllGlobals());

  it('gets the TypeScript kernel by itself, and an error where WASM was asked for', async () => {
    vi.stubGlobal('WebAssembly', undefined);
    const { Memory } = await import('../src/index.ts');
    expect(Memory.create({ bytes: 1 }).kernel.kind).toBe('typescript');
    expect(() => Memory.create({ bytes: 1, kernel: 'wasm' })).toThrow('WebAssembly is missing');
  });

  it('may also be one that has WASM but refuses to compile (a content security policy)', async () => {
    vi.stubGlobal('WebAssembly', { Memory: WebAssembly.Memory, Module: refuse });
    const { Memory } = await import('../src/index.ts');
    expect(Memory.create({ bytes: 1 }).kernel.kind).toBe('typescript');
    expect(() => Memory.create({ bytes: 1, kernel: 'wasm' })).toThrow('refused');
  });
});

function refuse(): never {
  throw new EvalError('refused');
}
