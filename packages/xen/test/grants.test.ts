import { beforeEach, describe, expect, it } from 'vitest';
import {
  GRANT_ENTRIES,
  GTF_PERMIT_ACCESS,
  GTF_READING,
  GTF_READONLY,
  GTF_WRITING,
  MAPTRACK_ENTRIES,
} from '../src/index.ts';
import { type TestDomain, type TestMachine, testMachine } from './machine.ts';

const OKAY = 0;
const GENERAL_ERROR = -1;
const BAD_DOMAIN = -2;
const BAD_GNTREF = -3;
const BAD_HANDLE = -4;
const BAD_PAGE = -9;
const BAD_COPY_ARG = -10;
const REF = 8;

let machine: TestMachine;
let a: TestDomain;
let b: TestDomain;
let memory: TestMachine['hypervisor']['memory'];
/** A page of `a`, and one of `b`. */
let page: number;
let own: number;

/** Writes an entry of `from`'s table as a guest does. */
function grant(from: TestDomain, ref: number, domid: number, frame: number, flags: number): void {
  const entry = from.record.grantTableAddr + ref * 8;
  memory.view.setUint32(entry + 4, frame, true);
  memory.view.setUint16(entry + 2, domid, true);
  memory.view.setUint16(entry, flags, true);
}

function flags(from: TestDomain, ref: number): number {
  return memory.view.getUint16(from.record.grantTableAddr + ref * 8, true);
}

beforeEach(() => {
  machine = testMachine();
  ({ a, b } = machine);
  memory = machine.hypervisor.memory;
  page = a.record.firstAddr;
  own = b.record.firstAddr;
  grant(a, REF, b.domid, page >>> 12, GTF_PERMIT_ACCESS);
});

const copyIn = (offset = 0, len = 100, ref = REF): number => b.hypercalls.grantCopyIn(a.domid, ref, offset, own, len);
const copyOut = (offset = 0, len = 100, ref = REF): number => b.hypercalls.grantCopyOut(own, a.domid, ref, offset, len);

describe('GNTTABOP_copy', () => {
  it('copies from a granted page', () => {
    memory.u8.set([1, 2, 3, 4], page + 1000);
    expect(copyIn(1000, 4)).toBe(OKAY);
    expect([...memory.u8.subarray(own, own + 4)]).toEqual([1, 2, 3, 4]);
  });

  it('copies to a granted page', () => {
    memory.u8.set([5, 6, 7], own);
    expect(copyOut(4093, 3)).toBe(OKAY);
    expect([...memory.u8.subarray(page + 4093, page + 4096)]).toEqual([5, 6, 7]);
  });

  it('copies between the pages of two others', () => {
    const { dom0 } = machine;
    grant(a, 9, 0, page >>> 12, GTF_PERMIT_ACCESS | GTF_READONLY);
    grant(b, 9, 0, own >>> 12, GTF_PERMIT_ACCESS);
    memory.u8.set([9, 8, 7], page + 10);
    expect(dom0.hypercalls.grantCopyAcross(a.domid, 9, 10, b.domid, 9, 20, 3)).toBe(OKAY);
    expect([...memory.u8.subarray(own + 20, own + 23)]).toEqual([9, 8, 7]);
    expect([flags(a, 9), flags(b, 9)]).toEqual([GTF_PERMIT_ACCESS | GTF_READONLY, GTF_PERMIT_ACCESS]);
  });

  it('checks both pages of a copy between others, and releases the first when the second is refused', () => {
    const { dom0 } = machine;
    grant(a, 9, 0, page >>> 12, GTF_PERMIT_ACCESS);
    grant(b, 9, 0, own >>> 12, GTF_PERMIT_ACCESS | GTF_READONLY);
    expect(dom0.hypercalls.grantCopyAcross(a.domid, 9, 0, b.domid, 9, 0, 3)).toBe(GENERAL_ERROR);
    expect(dom0.hypercalls.grantCopyAcross(a.domid, 10, 0, b.domid, 9, 0, 3)).toBe(GENERAL_ERROR);
    expect(dom0.hypercalls.grantCopyAcross(b.domid, 9, 4000, a.domid, 9, 0, 97)).toBe(BAD_COPY_ARG);
    expect(dom0.hypercalls.grantCopyAcross(b.domid, 9, 0, a.domid, 9, 4000, 97)).toBe(BAD_COPY_ARG);
    expect([flags(a, 9), flags(b, 9)]).toEqual([GTF_PERMIT_ACCESS, GTF_PERMIT_ACCESS | GTF_READONLY]);
  });

  it('len 0 is okay', () => {
    expect(copyIn(0, 0)).toBe(OKAY);
    expect(copyIn(4096, 0)).toBe(OKAY);
    expect(copyOut(4096, 0)).toBe(OKAY);
  });

  it('-10: crossing a page', () => {
    expect(copyIn(4000, 96)).toBe(OKAY);
    expect(copyIn(4000, 97)).toBe(BAD_COPY_ARG);
    expect(copyOut(4096, 1)).toBe(BAD_COPY_ARG);
    expect(copyIn(0, 4097)).toBe(BAD_COPY_ARG);
    expect(copyIn(-1, 10)).toBe(BAD_COPY_ARG);
    expect(copyIn(0, -1)).toBe(BAD_COPY_ARG);
    expect(copyIn(0, Number.NaN)).toBe(BAD_COPY_ARG);
    expect(copyIn(Number.NaN, 1)).toBe(BAD_COPY_ARG);
    expect(flags(a, REF)).toBe(GTF_PERMIT_ACCESS);
  });

  it('-2: no such domain', () => {
    for (const domid of [77, -1, 128, 0x7ff0, Number.NaN]) {
      expect(b.hypercalls.grantCopyIn(domid, REF, 0, own, 1)).toBe(BAD_DOMAIN);
    }
  });

  it('-3: a reference out of range', () => {
    for (const ref of [GRANT_ENTRIES, -1, 0xffff_ffff, Number.NaN]) expect(copyIn(0, 1, ref)).toBe(BAD_GNTREF);
  });

  it('-1: an entry that grants nothing, or something else than access', () => {
    expect(copyIn(0, 1, 4095)).toBe(GENERAL_ERROR);
    for (const type of [0, 2, 3]) {
      grant(a, REF, b.domid, page >>> 12, type);
      expect(copyIn()).toBe(GENERAL_ERROR);
    }
  });

  it('-1: granted to another domain', () => {
    grant(a, REF, 0, page >>> 12, GTF_PERMIT_ACCESS);
    expect(copyIn()).toBe(GENERAL_ERROR);
    expect(flags(a, REF)).toBe(GTF_PERMIT_ACCESS);
  });

  it('-1: writing to a readonly grant; reading is okay', () => {
    grant(a, REF, b.domid, page >>> 12, GTF_PERMIT_ACCESS | GTF_READONLY);
    expect(copyOut()).toBe(GENERAL_ERROR);
    expect(copyIn()).toBe(OKAY);
  });

  it('-9: a frame that is not the granter’s', () => {
    for (const frame of [own >>> 12, 0, 1, 0xffff_ffff, memory.bytes >>> 12]) {
      grant(a, REF, b.domid, frame, GTF_PERMIT_ACCESS);
      expect(copyIn()).toBe(BAD_PAGE);
      expect(flags(a, REF)).toBe(GTF_PERMIT_ACCESS);
    }
  });

  it('-9: own memory that is not our own', () => {
    for (const addr of [page, 0, memory.bytes, own - 1, -4096]) {
      expect(b.hypercalls.grantCopyIn(a.domid, REF, 0, addr, 2)).toBe(BAD_PAGE);
      expect(b.hypercalls.grantCopyOut(addr, a.domid, REF, 0, 2)).toBe(BAD_PAGE);
    }
  });

  it('own memory may cross a page: it is one run', () => {
    memory.u8.set([1, 2, 3, 4], page);
    expect(b.hypercalls.grantCopyIn(a.domid, REF, 0, own + 4094, 4)).toBe(OKAY);
    expect([...memory.u8.subarray(own + 4094, own + 4098)]).toEqual([1, 2, 3, 4]);
  });

  it('leaves the flags as they were', () => {
    copyOut();
    copyIn();
    expect(flags(a, REF)).toBe(GTF_PERMIT_ACCESS);
  });

  it('holds the entry while it copies, so that its owner cannot take it back', () => {
    const { kernel } = memory;
    const seen: number[] = [];
    const copy = kernel.copy;
    kernel.copy = (dst, src, len) => {
      seen.push(flags(a, REF));
      copy.call(kernel, dst, src, len);
    };
    copyIn();
    copyOut();
    expect(seen).toEqual([GTF_PERMIT_ACCESS | GTF_READING, GTF_PERMIT_ACCESS | GTF_READING | GTF_WRITING]);
  });

  it('-1 for an entry that its owner keeps changing, and no endless loop', () => {
    // compareExchange fails for ever when another thread flips a flag: stood in for by a memory that flips it.
    const { i32 } = memory;
    const entry = (a.record.grantTableAddr + REF * 8) >>> 2;
    const compareExchange = Atomics.compareExchange;
    let tries = 0;
    Atomics.compareExchange = ((array: Int32Array, index: number, expected: number, value: number): number => {
      if (array === i32 && index === entry) {
        tries++;
        return expected ^ GTF_READONLY;
      }
      return compareExchange(array, index, expected, value);
    }) as typeof Atomics.compareExchange;
    try {
      expect(copyIn()).toBe(GENERAL_ERROR);
    } finally {
      Atomics.compareExchange = compareExchange;
    }
    expect(tries).toBe(5);
  });

  it('keeps a page claimed between the operations of a batch, and lets go of it at the end or for another page', () => {
    const second = REF + 1;
    grant(a, second, b.domid, (page >>> 12) + 1, GTF_PERMIT_ACCESS);
    b.hypercalls.grantCopyBegin();
    expect(copyIn()).toBe(OKAY);
    expect(flags(a, REF)).toBe(GTF_PERMIT_ACCESS | GTF_READING);
    expect(copyOut()).toBe(OKAY);
    expect(flags(a, REF)).toBe(GTF_PERMIT_ACCESS | GTF_READING | GTF_WRITING);
    expect(copyOut(0, 1, second)).toBe(OKAY);
    expect(flags(a, REF)).toBe(GTF_PERMIT_ACCESS | GTF_READING);
    expect(flags(a, second)).toBe(GTF_PERMIT_ACCESS | GTF_READING | GTF_WRITING);
    expect(copyIn(0, 1, second)).toBe(OKAY);
    expect(flags(a, REF)).toBe(GTF_PERMIT_ACCESS);
    b.hypercalls.grantCopyEnd();
    expect(flags(a, second)).toBe(GTF_PERMIT_ACCESS);
  });

  it('checks a page anew in every batch, and outside of one at every copy', () => {
    b.hypercalls.grantCopyBegin();
    expect(copyIn()).toBe(OKAY);
    b.hypercalls.grantCopyEnd();
    grant(a, REF, 0, page >>> 12, GTF_PERMIT_ACCESS);
    b.hypercalls.grantCopyBegin();
    expect(copyIn()).toBe(GENERAL_ERROR);
    b.hypercalls.grantCopyEnd();
    expect(copyIn()).toBe(GENERAL_ERROR);
  });

  it('does not take the flags of a batch for those of a map', () => {
    b.hypercalls.grantCopyBegin();
    expect(copyIn()).toBe(OKAY);
    const { handle } = b.hypercalls.grantMap(a.domid, REF, true);
    b.hypercalls.grantCopyEnd();
    expect(flags(a, REF)).toBe(GTF_PERMIT_ACCESS | GTF_READING);
    b.hypercalls.grantUnmap(handle);
    expect(flags(a, REF)).toBe(GTF_PERMIT_ACCESS);
  });

  it('reads flags and domid of the peer’s entry in one load (no time of check, time of use)', () => {
    const { i32 } = memory;
    const entry = (a.record.grantTableAddr + REF * 8) >>> 2;
    const load = Atomics.load;
    let loads = 0;
    Atomics.load = ((array: Int32Array, index: number): number => {
      if (array === i32 && index === entry) loads++;
      return load(array, index);
    }) as typeof Atomics.load;
    try {
      copyIn();
    } finally {
      Atomics.load = load;
    }
    expect(loads).toBe(1);
  });
});

describe('GNTTABOP_map_grant_ref', () => {
  it('answers where the page is and marks the entry in use', () => {
    expect(b.hypercalls.grantMap(a.domid, REF, false)).toEqual({ status: OKAY, handle: 0, addr: page });
    expect(flags(a, REF)).toBe(GTF_PERMIT_ACCESS | GTF_READING | GTF_WRITING);
  });

  it('a readonly map sets reading only', () => {
    grant(a, REF, b.domid, page >>> 12, GTF_PERMIT_ACCESS | GTF_READONLY);
    expect(b.hypercalls.grantMap(a.domid, REF, false).status).toBe(GENERAL_ERROR);
    expect(b.hypercalls.grantMap(a.domid, REF, true).status).toBe(OKAY);
    expect(flags(a, REF)).toBe(GTF_PERMIT_ACCESS | GTF_READONLY | GTF_READING);
  });

  it('the flags go when the last pin drops', () => {
    const first = b.hypercalls.grantMap(a.domid, REF, false);
    const second = b.hypercalls.grantMap(a.domid, REF, true);
    const third = b.hypercalls.grantMap(a.domid, REF, false);
    expect(new Set([first.handle, second.handle, third.handle]).size).toBe(3);
    expect(b.hypercalls.grantUnmap(first.handle)).toBe(OKAY);
    expect(flags(a, REF)).toBe(GTF_PERMIT_ACCESS | GTF_READING | GTF_WRITING);
    expect(b.hypercalls.grantUnmap(third.handle)).toBe(OKAY);
    expect(flags(a, REF)).toBe(GTF_PERMIT_ACCESS | GTF_READING);
    expect(b.hypercalls.grantUnmap(second.handle)).toBe(OKAY);
    expect(flags(a, REF)).toBe(GTF_PERMIT_ACCESS);
  });

  it('a copy of a mapped page leaves the map’s flags', () => {
    b.hypercalls.grantMap(a.domid, REF, true);
    copyOut();
    copyIn();
    expect(flags(a, REF)).toBe(GTF_PERMIT_ACCESS | GTF_READING);
  });

  it('-4: a handle that is not in use', () => {
    const { handle } = b.hypercalls.grantMap(a.domid, REF, false);
    b.hypercalls.grantUnmap(handle);
    for (const bad of [handle, 1, -1, 1024, Number.NaN]) expect(b.hypercalls.grantUnmap(bad)).toBe(BAD_HANDLE);
  });

  it('has the error codes of a copy', () => {
    const { hypercalls } = b;
    expect(hypercalls.grantMap(77, REF, false)).toEqual({ status: BAD_DOMAIN, handle: -1, addr: 0 });
    expect(hypercalls.grantMap(a.domid, GRANT_ENTRIES, false).status).toBe(BAD_GNTREF);
    expect(hypercalls.grantMap(a.domid, 9, false).status).toBe(GENERAL_ERROR);
    grant(a, REF, b.domid, own >>> 12, GTF_PERMIT_ACCESS);
    expect(hypercalls.grantMap(a.domid, REF, false).status).toBe(BAD_PAGE);
  });

  it('-7 when all handles are taken', () => {
    for (let i = 0; i < MAPTRACK_ENTRIES; i++) expect(b.hypercalls.grantMap(a.domid, REF, true).status).toBe(OKAY);
    expect(b.hypercalls.grantMap(a.domid, REF, true).status).toBe(-7);
    expect(b.hypercalls.grantUnmap(1234)).toBe(OKAY);
    expect(b.hypercalls.grantMap(a.domid, REF, true)).toMatchObject({ status: OKAY, handle: 1234 });
  });
});
