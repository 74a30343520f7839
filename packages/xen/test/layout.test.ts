import { Memory } from '@qanat/bytes';
import { describe, expect, it } from 'vitest';
import * as xen from '../src/index.ts';

import { testMachine } from './machine.ts';

/** What the public headers say. Each name is checked by itself, so that a wrong one names itself. */
const HEADERS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'shared_info (xen.h, x86-64)': {
    EVTCHN_WORD_BITS: 64,
    EVTCHN_PORTS: 4096,
    MAX_LEGACY_VCPUS: 32,
    VCPU_INFO_BYTES: 64,
    VCPU_UPCALL_PENDING: 0,
    VCPU_UPCALL_MASK: 1,
    VCPU_PENDING_SEL: 8,
    VCPU_PENDING_SEL_32: 4,
    SHARED_EVTCHN_PENDING: 2048,
    SHARED_EVTCHN_MASK: 2560,
    SHARED_EVTCHN_MASK_32: 2176,
  },
  'start_info (xen.h, x86-64)': {
    START_NR_PAGES: 32,
    START_SHARED_INFO: 40,
    START_FLAGS: 48,
    START_STORE_MFN: 56,
    START_STORE_EVTCHN: 64,
    START_CONSOLE_MFN: 72,
    START_CONSOLE_EVTCHN: 80,
    START_CMD_LINE: 128,
    START_CMD_LINE_BYTES: 1024,
    SIF_PRIVILEGED: 1,
    SIF_INITDOMAIN: 2,
  },
  'event_channel.h, sched.h': {
    EVTCHNSTAT_CLOSED: 0,
    EVTCHNSTAT_UNBOUND: 1,
    EVTCHNSTAT_INTERDOMAIN: 2,
    EVTCHNSTAT_PIRQ: 3,
    EVTCHNSTAT_VIRQ: 4,
    EVTCHNSTAT_IPI: 5,
    VIRQ_TIMER: 0,
    VIRQ_DEBUG: 1,
    VIRQ_CONSOLE: 2,
    VIRQ_DOM_EXC: 3,
    VIRQ_ARCH_0: 16,
    NR_VIRQS: 24,
    DOMID_SELF: 0x7ff0,
    SCHED_POLL_PORTS_MAX: 128,
    SHUTDOWN_POWEROFF: 0,
    SHUTDOWN_REBOOT: 1,
    SHUTDOWN_SUSPEND: 2,
    SHUTDOWN_CRASH: 3,
    TIMER_AHEAD_MAX_NS: 2 ** 50,
    TIMER_MISTAKE_NS: 100_000_000,
  },
  'ring.h': {
    SRING_REQ_PROD: 0,
    SRING_REQ_EVENT: 4,
    SRING_RSP_PROD: 8,
    SRING_RSP_EVENT: 12,
    SRING_PVT: 16,
    SRING_RING: 64,
    SRING_PAGE_BYTES: 4096,
  },
  'netif.h': {
    NETIF_TX_SLOT_BYTES: 12,
    NETIF_RX_SLOT_BYTES: 8,
    NETIF_TX_RING_ENTRIES: 256,
    NETIF_RX_RING_ENTRIES: 256,
    TX_REQ_GREF: 0,
    TX_REQ_OFFSET: 4,
    TX_REQ_FLAGS: 6,
    TX_REQ_ID: 8,
    TX_REQ_SIZE: 10,
    TX_RSP_ID: 0,
    TX_RSP_STATUS: 2,
    RX_REQ_ID: 0,
    RX_REQ_GREF: 4,
    RX_RSP_ID: 0,
    RX_RSP_OFFSET: 2,
    RX_RSP_FLAGS: 4,
    RX_RSP_STATUS: 6,
    NETTXF_CSUM_BLANK: 1,
    NETTXF_DATA_VALIDATED: 2,
    NETTXF_MORE_DATA: 4,
    NETTXF_EXTRA_INFO: 8,
    NETRXF_DATA_VALIDATED: 1,
    NETRXF_CSUM_BLANK: 2,
    NETRXF_MORE_DATA: 4,
    NETRXF_EXTRA_INFO: 8,
    NETRXF_GSO_PREFIX: 16,
    EXTRA_INFO_BYTES: 8,
    EXTRA_TYPE: 0,
    EXTRA_FLAGS: 1,
    EXTRA_GSO_SIZE: 2,
    EXTRA_GSO_TYPE: 4,
    EXTRA_GSO_FEATURES: 6,
    EXTRA_MCAST_ADDR: 2,
    EXTRA_HASH_TYPE: 2,
    EXTRA_HASH_ALGORITHM: 3,
    EXTRA_HASH_VALUE: 4,
    XEN_NETIF_EXTRA_TYPE_NONE: 0,
    XEN_NETIF_EXTRA_TYPE_GSO: 1,
    XEN_NETIF_EXTRA_TYPE_MCAST_ADD: 2,
    XEN_NETIF_EXTRA_TYPE_MCAST_DEL: 3,
    XEN_NETIF_EXTRA_TYPE_HASH: 4,
    XEN_NETIF_EXTRA_FLAG_MORE: 1,
    XEN_NETIF_GSO_TYPE_TCPV4: 1,
    XEN_NETIF_GSO_TYPE_TCPV6: 2,
    XEN_NETIF_MAX_TX_SIZE: 0xffff,
    XEN_NETIF_NR_SLOTS_MIN: 18,
    NETIF_RSP_OKAY: 0,
    NETIF_RSP_ERROR: -1,
    NETIF_RSP_DROPPED: -2,
    NETIF_RSP_NULL: 1,
    NETIF_CTRL_REQ_BYTES: 16,
    NETIF_CTRL_RSP_BYTES: 12,
  },
  'grant_table.h, version 1': {
    GRANT_ENTRY_BYTES: 8,
    GRANT_FLAGS: 0,
    GRANT_DOMID: 2,
    GRANT_FRAME: 4,
    GNTTAB_RESERVED_CONSOLE: 0,
    GNTTAB_RESERVED_XENSTORE: 1,
    GNTTAB_NR_RESERVED_ENTRIES: 8,
    GTF_INVALID: 0,
    GTF_PERMIT_ACCESS: 1,
    GTF_ACCEPT_TRANSFER: 2,
    GTF_TRANSITIVE: 3,
    GTF_TYPE_MASK: 3,
    GTF_READONLY: 4,
    GTF_READING: 8,
    GTF_WRITING: 16,
    GNTTABOP_MAP_GRANT_REF: 0,
    GNTTABOP_UNMAP_GRANT_REF: 1,
    GNTTABOP_SETUP_TABLE: 2,
    GNTTABOP_COPY: 5,
    GNTST_OKAY: 0,
    GNTST_GENERAL_ERROR: -1,
    GNTST_BAD_DOMAIN: -2,
    GNTST_BAD_GNTREF: -3,
    GNTST_BAD_HANDLE: -4,
    GNTST_BAD_VIRT_ADDR: -5,
    GNTST_BAD_DEV_ADDR: -6,
    GNTST_NO_DEVICE_SPACE: -7,
    GNTST_PERMISSION_DENIED: -8,
    GNTST_BAD_PAGE: -9,
    GNTST_BAD_COPY_ARG: -10,
    GNTST_ADDRESS_TOO_BIG: -11,
    GNTST_EAGAIN: -12,
    GNTST_NO_SPACE: -13,
  },
  'errno.h': {
    EPERM: 1,
    ENOENT: 2,
    ESRCH: 3,
    EAGAIN: 11,
    ENOMEM: 12,
    EBUSY: 16,
    EEXIST: 17,
    EINVAL: 22,
    ENOSPC: 28,
    ENOSYS: 38,
  },
};

const exported = xen as unknown as Readonly<Record<string, unknown>>;

for (const [header, facts] of Object.entries(HEADERS)) {
  describe(header, () => {
    for (const [name, value] of Object.entries(facts)) {
      it(`${name} is ${value}`, () => expect(exported[name]).toBe(value));
    }
  });
}

describe('xenbus.h', () => {
  it('numbers the states in the order of a connection', () => {
    expect(xen.XenbusState).toEqual({
      Unknown: 0,
      Initialising: 1,
      InitWait: 2,
      Initialised: 3,
      Connected: 4,
      Closing: 5,
      Closed: 6,
      Reconfiguring: 7,
      Reconfigured: 8,
    });
  });
});

describe('ring sizes', () => {
  it.each([
    [12, 336, 256],
    [8, 504, 256],
    [16, 252, 128],
    [64, 63, 32],
  ])('a slot of %i bytes: %i fit, %i are used', (slotBytes, fit, entries) => {
    expect(Math.floor((4096 - 64) / slotBytes)).toBe(fit);
    expect(xen.ringEntries(slotBytes)).toBe(entries);
  });

  it('slot = 64 + (index & (n - 1)) * slot size', () => {
    const memory = Memory.create({ bytes: 0x1_0000 });
    const ring = xen.FrontRing.init(memory, 4096, 12);
    expect(ring.slotAddr(0)).toBe(4096 + 64);
    expect(ring.slotAddr(255)).toBe(4096 + 64 + 255 * 12);
    expect(ring.slotAddr(256)).toBe(4096 + 64);
    expect(ring.slotAddr(0xffff_ffff)).toBe(4096 + 64 + 255 * 12);
  });

  it('a fresh ring has producers 0, events 1 and the rest 0', () => {
    const memory = Memory.create({ bytes: 0x1_0000 });
    memory.u8.fill(0xff, 4096, 8192);
    xen.FrontRing.init(memory, 4096, 12);
    expect([...memory.u32.subarray(1024, 1028)]).toEqual([0, 1, 0, 1]);
    expect(memory.u8.subarray(4096 + 16, 8192).every((byte) => byte === 0)).toBe(true);
  });
});

describe('a domain as its builder leaves it', () => {
  it('starts with upcalls masked and no port masked, as xg_dom_x86.c does for PV', () => {
    const { a, hypervisor } = testMachine();
    expect(a.upcallMask).toBe(1);
    expect(a.upcallPending).toBe(0);
    const shared = hypervisor.memory.u8.subarray(a.record.sharedInfoAddr, a.record.sharedInfoAddr + 4096);
    expect(shared.subarray(2560, 3072).every((byte) => byte === 0)).toBe(true);
    expect(shared.subarray(2048, 2560).every((byte) => byte === 0)).toBe(true);
  });

  it('has a start info page that tells where its pages and ports are', () => {
    const { a, dom0, hypervisor } = testMachine();
    const { view, u8 } = hypervisor.memory;
    const start = a.record.startInfoAddr;
    expect(String.fromCharCode(...u8.subarray(start, start + 14))).toBe('xen-3.0-x86_64');
    expect(view.getBigUint64(start + 32, true)).toBe(BigInt(a.record.bytes / 4096));
    expect(view.getBigUint64(start + 40, true)).toBe(BigInt(a.record.sharedInfoAddr));
    expect(view.getUint32(start + 48, true)).toBe(0);
    expect(view.getBigUint64(start + 56, true)).toBe(BigInt(a.record.xenstoreAddr / 4096));
    expect(view.getUint32(start + 64, true)).toBe(a.record.xenstorePort);
    expect(view.getBigUint64(start + 72, true)).toBe(BigInt(a.record.consoleAddr / 4096));
    expect(view.getUint32(start + 80, true)).toBe(a.record.consolePort);
    expect(view.getUint32(dom0.record.startInfoAddr + 48, true)).toBe(3);
  });

  it('has granted its console under reference 0 and its xenstore page under 1, to Dom0', () => {
    const { a, dom0, hypervisor } = testMachine();
    const { view } = hypervisor.memory;
    for (const [ref, addr] of [
      [0, a.record.consoleAddr],
      [1, a.record.xenstoreAddr],
    ] as const) {
      const entry = a.record.grantTableAddr + ref * 8;
      expect(view.getUint16(entry, true)).toBe(1);
      expect(view.getUint16(entry + 2, true)).toBe(0);
      expect(view.getUint32(entry + 4, true)).toBe(addr / 4096);
      expect(dom0.hypercalls.grantMap(a.domid, ref, false)).toEqual({ status: 0, handle: ref, addr });
    }
  });

  it('has offered its ports to Dom0 alone', () => {
    const { a, b, dom0 } = testMachine();
    expect(a.hypercalls.evtchnStatus(a.record.xenstorePort)).toMatchObject({ status: 1, remoteDomid: 0 });
    expect(b.hypercalls.evtchnBindInterdomain(a.domid, a.record.xenstorePort)).toBe(-22);
    expect(dom0.hypercalls.evtchnBindInterdomain(a.domid, a.record.consolePort)).toBeGreaterThan(0);
  });
});
