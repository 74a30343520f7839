import { describe, expect, it } from 'vitest';
import { bindImports } from '../../scripts/bind-imports.mjs';

const bind = (code: string): string => bindImports(code, 'a.js') as string;

describe('bind-imports', () => {
  it('binds what comes from our own modules to constants, and keeps each line where it is', () => {
    const code = [
      `import { open } from 'node:fs';`,
      `import * as wire from "./wire.js";`,
      `import { seqLt, seqDiff as distance } from "./seq.js";`,
      `import { NEVER } from '@qanat/clock';`,
      `import './polyfill.js';`,
      `export function isOver(at) { return seqLt(at, distance(NEVER, open ?? wire.x)); }`,
      '',
    ].join('\n');
    expect(bind(code).split('\n')).toEqual([
      `import { open } from 'node:fs';`,
      `import * as wire from "./wire.js";`,
      `import { seqLt as seqLt$import, seqDiff as distance$import } from "./seq.js";`,
      `import { NEVER as NEVER$import } from '@qanat/clock';`,
      `import './polyfill.js'; const seqLt = seqLt$import, distance = distance$import, NEVER = NEVER$import;`,
      `export function isOver(at) { return seqLt(at, distance(NEVER, open ?? wire.x)); }`,
      '',
    ]);
  });

  it('keeps exported constants to the module, and exports them by another name', async () => {
    const code = `export const A = 1, B = 2;\nexport function f() { return A + B; }\nexport const { c } = { c: 3 };\n`;
    expect(bind(code).split('\n')).toEqual([
      'const A = 1, B = 2; const A$export = A, B$export = B; export { A$export as A, B$export as B };',
      'export function f() { return A + B; }',
      'export const { c } = { c: 3 };',
      '',
    ]);
    const module = await import(`data:text/javascript,${encodeURIComponent(bind(code))}`);
    expect({ ...module, f: module.f() }).toEqual({ A: 1, B: 2, c: 3, f: 3 });
  });

  it('leaves alone what is bound already, and modules that import nothing of ours', () => {
    const bound = bind(`import { a } from "./a.js";\nexport const b = a;\n`);
    expect(bind(bound)).toBe(bound);
    const others = `import { open } from 'node:fs';\nexport { a } from "./a.js";\nexport function f() { return open; }\n`;
    expect(bind(others)).toBe(others);
  });

  it('refuses modules that export what may change', () => {
    expect(() => bind('export let turns = 0;\n')).toThrow(`a.js: 'turns' is exported and may change`);
    expect(() => bind('let turns = 0;\nexport { turns as count };\n')).toThrow(`'turns' is exported and may change`);
    expect(bind('let turns = 0;\nexport const f = () => turns++;\n')).toContain('turns++');
  });
});
