import { PAGE_SIZE } from '@qanat/bytes';
import type { Kernel } from '@qanat/os';
import { beforeEach, describe, expect, it } from 'vitest';
import { TestMachine } from '../../netback/test/machine.ts';
import { LentPages } from '../src/lent-pages.ts';
import { Reclaimer } from '../src/reclaimer.ts';

let kernel: Kernel;
let lent: LentPages;

beforeEach(async () => {
  const machine = await TestMachine.create({ backend: () => {} });
  kernel = await machine.domain('a');
  lent = new LentPages(kernel, new Reclaimer(kernel, 1000), 128);
  lent.isOpen = true;
});

describe('lent pages', () => {
  it('cost nothing until some are asked for, and are granted read-only then', () => {
    const [pages, refs] = [kernel.pages.freePages, kernel.grants.free];
    lent.grantTo(0);
    expect([kernel.pages.freePages, kernel.grants.free, lent.ready]).toEqual([pages, refs, false]);
    const addr = lent.alloc(4);
    expect([kernel.pages.freePages, kernel.grants.free, lent.ready]).toEqual([pages - 128, refs - 128, true]);
    expect([lent.holds(addr, 4 * PAGE_SIZE), lent.holds(addr - 1, 2)]).toEqual([true, false]);
    expect(lent.refOf(addr + PAGE_SIZE)).not.toBe(lent.refOf(addr));
    lent.free(addr, 4);
    lent.close();
    expect([kernel.pages.freePages, kernel.grants.free, lent.ready]).toEqual([pages, refs, false]);
  });

  it('that are given back are not given out before the packets of then are answered, in whichever order', () => {
    lent.grantTo(0);
    const addr = lent.alloc(100);
    const numbers = [lent.next(), lent.next(), lent.next()] as const;
    lent.free(addr, 100);
    const later = lent.next();
    expect(lent.alloc(100)).toBe(0);
    lent.answer(numbers[2]);
    lent.answer(later);
    lent.answer(numbers[0]);
    expect([lent.done, lent.alloc(100)]).toEqual([numbers[0], 0]);
    lent.answer(numbers[1]);
    expect([lent.done, lent.alloc(100)]).toEqual([later, addr]);
  });

  it('are not referred to by more packets while thousands go unanswered', () => {
    lent.grantTo(0);
    lent.alloc(1);
    for (let i = 0; i < 4095; i++) lent.next();
    expect(lent.ready).toBe(true);
    lent.next();
    expect(lent.ready).toBe(false);
    lent.answer(1);
    expect(lent.ready).toBe(true);
  });

  it('are counted on over 2^31 packets', () => {
    lent.sent = 0x7fff_fffe;
    lent.done = 0x7fff_fffe;
    lent.grantTo(0);
    const addr = lent.alloc(2);
    const numbers = [lent.next(), lent.next(), lent.next()];
    expect(numbers[2]).toBe(-0x7fff_ffff);
    lent.free(addr, 2);
    expect(lent.pagesInUse).toBe(2);
    for (const number of numbers) lent.answer(number);
    expect([lent.done, lent.pagesInUse]).toEqual([numbers[2], 0]);
  });

  it('are none where the domain has too little memory, or shall have none', () => {
    expect(new LentPages(kernel, new Reclaimer(kernel, 1000), 0).alloc(1)).toBe(0);
    while (kernel.pages.freePages > 255) kernel.pages.alloc();
    expect(lent.alloc(1)).toBe(0);
  });
});
