import { PAGE_SHIFT, PAGE_SIZE } from '@qanat/bytes';
import type { FrameTable } from './frame-table.ts';
import {
  GNTTAB_RESERVED_CONSOLE,
  GNTTAB_RESERVED_XENSTORE,
  GRANT_ENTRY_BYTES,
  GRANT_FRAME,
  GTF_PERMIT_ACCESS,
} from './grant-layout.ts';
import {
  CHANNELS_PAGES,
  DOM_BYTES,
  DOM_CHANNELS,
  DOM_CONSOLE,
  DOM_CONSOLE_PORT,
  DOM_FIRST,
  DOM_GRANT_PINS,
  DOM_GRANT_TABLE,
  DOM_MAPTRACK,
  DOM_SHARED_INFO,
  DOM_SHUTDOWN,
  DOM_START_INFO,
  DOM_STATE,
  DOM_XENSTORE,
  DOM_XENSTORE_PORT,
  DOMAIN_BYTES,
  DOMAIN_FREE,
  FRAME_OWNER_BASE,
  FRAME_XEN,
  GRANT_PINS_PAGES,
  GRANT_TABLE_PAGES,
  MAPTRACK_PAGES,
  MAX_DOMAINS,
} from './machine-layout.ts';
import type { MachineState } from './machine-state.ts';
import {
  SIF_INITDOMAIN,
  SIF_PRIVILEGED,
  START_CONSOLE_EVTCHN,
  START_CONSOLE_MFN,
  START_FLAGS,
  START_INFO_MAGIC,
  START_NR_PAGES,
  START_SHARED_INFO,
  START_STORE_EVTCHN,
  START_STORE_MFN,
  VCPU_UPCALL_MASK,
} from './shared-info.ts';

/** Pages that belong to the record of a domid. The first four are the guest's to see. */
const GUEST_PAGES = 4 + GRANT_TABLE_PAGES;
const RECORD_PAGES = GUEST_PAGES + CHANNELS_PAGES + GRANT_PINS_PAGES + MAPTRACK_PAGES;

/**
 * Fills a domain's record and pages; the caller holds the domain lock. The pages beside its own memory are never used
 * for anything else again: an event that is sent to a domain while it dies is at worst a spurious one for its heir.
 * @returns false when there is not enough memory.
 */
export function buildDomain(state: MachineState, frames: FrameTable, domid: number, pages: number): boolean {
  const record = state.recordAddr(domid);
  const { i32 } = state;
  const firstAddr = frames.allocate(pages, FRAME_OWNER_BASE + domid);
  if (firstAddr === 0) return false;
  let base = takeRecordPages(state, record);
  if (base === 0) {
    base = frames.allocate(RECORD_PAGES, FRAME_XEN);
    if (base === 0) {
      frames.free(firstAddr, pages);
      return false;
    }
  } else {
    state.memory.kernel.fill(base, 0, RECORD_PAGES * PAGE_SIZE);
  }
  frames.assign(base, GUEST_PAGES, FRAME_OWNER_BASE + domid);
  state.memory.kernel.fill(record + DOM_STATE + 4, 0, DOMAIN_BYTES - 4);

  const set = (offset: number, value: number): void => {
    i32[(record + offset) >>> 2] = value;
  };
  let next = base;
  const take = (count: number): number => {
    const addr = next;
    next += count * PAGE_SIZE;
    return addr;
  };
  set(DOM_SHARED_INFO, take(1));
  set(DOM_START_INFO, take(1));
  set(DOM_XENSTORE, take(1));
  set(DOM_CONSOLE, take(1));
  set(DOM_GRANT_TABLE, take(GRANT_TABLE_PAGES));
  set(DOM_CHANNELS, take(CHANNELS_PAGES));
  set(DOM_GRANT_PINS, take(GRANT_PINS_PAGES));
  set(DOM_MAPTRACK, take(MAPTRACK_PAGES));
  set(DOM_FIRST, firstAddr);
  set(DOM_BYTES, pages * PAGE_SIZE);
  set(DOM_SHUTDOWN, -1);

  // xg_dom_x86.c: a PV guest starts with upcalls masked and no port masked.
  state.u8[i32[(record + DOM_SHARED_INFO) >>> 2]! + VCPU_UPCALL_MASK] = 1;
  seedGrants(state, record);
  writeStartInfo(state, record, domid, pages);
  return true;
}

/** @returns the pages that a dead domain has left, of this domid before or of any other, or 0. */
function takeRecordPages(state: MachineState, record: number): number {
  const { i32 } = state;
  const own = i32[(record + DOM_SHARED_INFO) >>> 2]!;
  if (own !== 0) return own;
  for (let domid = 0; domid < MAX_DOMAINS; domid++) {
    const other = state.recordAddr(domid);
    const pages = i32[(other + DOM_SHARED_INFO) >>> 2]!;
    if (pages === 0 || Atomics.load(i32, (other + DOM_STATE) >>> 2) !== DOMAIN_FREE) continue;
    i32[(other + DOM_SHARED_INFO) >>> 2] = 0;
    return pages;
  }
  return 0;
}

/** Tells the domain the ports of its xenstore and console pages. */
export function writePorts(state: MachineState, record: number, xenstorePort: number, consolePort: number): void {
  const { i32 } = state;
  const start = i32[(record + DOM_START_INFO) >>> 2]!;
  i32[(record + DOM_XENSTORE_PORT) >>> 2] = xenstorePort;
  i32[(record + DOM_CONSOLE_PORT) >>> 2] = consolePort;
  i32[(start + START_STORE_EVTCHN) >>> 2] = xenstorePort;
  i32[(start + START_CONSOLE_EVTCHN) >>> 2] = consolePort;
}

/** The builder grants the console and xenstore pages to Dom0 under the references kept for them. */
function seedGrants(state: MachineState, record: number): void {
  const { i32 } = state;
  const table = i32[(record + DOM_GRANT_TABLE) >>> 2]!;
  const seed = (ref: number, page: number): void => {
    const entry = table + ref * GRANT_ENTRY_BYTES;
    i32[(entry + GRANT_FRAME) >>> 2] = i32[(record + page) >>> 2]! >>> PAGE_SHIFT;
    Atomics.store(i32, entry >>> 2, GTF_PERMIT_ACCESS);
  };
  seed(GNTTAB_RESERVED_CONSOLE, DOM_CONSOLE);
  seed(GNTTAB_RESERVED_XENSTORE, DOM_XENSTORE);
}

function writeStartInfo(state: MachineState, record: number, domid: number, pages: number): void {
  const { i32, u8 } = state;
  const start = i32[(record + DOM_START_INFO) >>> 2]!;
  for (let i = 0; i < START_INFO_MAGIC.length; i++) u8[start + i] = START_INFO_MAGIC.charCodeAt(i);
  const set = (offset: number, value: number): void => {
    i32[(start + offset) >>> 2] = value;
  };
  set(START_NR_PAGES, pages);
  set(START_SHARED_INFO, i32[(record + DOM_SHARED_INFO) >>> 2]!);
  set(START_FLAGS, domid === 0 ? SIF_PRIVILEGED | SIF_INITDOMAIN : 0);
  set(START_STORE_MFN, i32[(record + DOM_XENSTORE) >>> 2]! >>> PAGE_SHIFT);
  set(START_CONSOLE_MFN, i32[(record + DOM_CONSOLE) >>> 2]! >>> PAGE_SHIFT);
}
