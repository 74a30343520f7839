import { beforeEach, describe, expect, it } from 'vitest';
import { DOMID_SELF, VIRQ_DEBUG, VIRQ_TIMER } from '../src/index.ts';
import { connect, type TestDomain, type TestMachine, testMachine } from './machine.ts';

const EEXIST = -17;
const EINVAL = -22;
const ENOSPC = -28;
const ESRCH = -3;

let machine: TestMachine;
let a: TestDomain;
let b: TestDomain;

beforeEach(() => {
  machine = testMachine();
  ({ a, b } = machine);
});

describe('alloc_unbound', () => {
  it('gives the lowest free port >= 1', () => {
    const first = a.hypercalls.evtchnAllocUnbound(b.domid);
    // 1 and 2 are the ports of xenstore and console.
    expect(first).toBe(3);
    expect(a.hypercalls.evtchnAllocUnbound(b.domid)).toBe(4);
    a.hypercalls.evtchnClose(3);
    expect(a.hypercalls.evtchnAllocUnbound(b.domid)).toBe(3);
    expect(a.hypercalls.evtchnStatus(3)).toEqual({ status: 1, remoteDomid: b.domid, remotePort: 0, virq: -1 });
  });

  it('-ENOSPC when all 4095 ports are taken', () => {
    for (let port = 3; port < 4096; port++) expect(a.hypercalls.evtchnAllocUnbound(b.domid)).toBe(port);
    expect(a.hypercalls.evtchnAllocUnbound(b.domid)).toBe(ENOSPC);
    expect(a.hypercalls.evtchnBindVirq(VIRQ_DEBUG)).toBe(ENOSPC);
    expect(a.hypercalls.evtchnClose(4095)).toBe(0);
    expect(a.hypercalls.evtchnAllocUnbound(b.domid)).toBe(4095);
  });

  it('takes DOMID_SELF for the caller', () => {
    const port = a.hypercalls.evtchnAllocUnbound(DOMID_SELF);
    expect(a.hypercalls.evtchnBindInterdomain(DOMID_SELF, port)).toBeGreaterThan(port);
  });

  it('-ESRCH for a domid that no domain can have', () => {
    expect(a.hypercalls.evtchnAllocUnbound(9999)).toBe(ESRCH);
  });
});

describe('bind_interdomain', () => {
  it('joins both ends', () => {
    const port = a.hypercalls.evtchnAllocUnbound(b.domid);
    const other = b.hypercalls.evtchnBindInterdomain(a.domid, port);
    expect(a.hypercalls.evtchnStatus(port)).toMatchObject({ status: 2, remoteDomid: b.domid, remotePort: other });
    expect(b.hypercalls.evtchnStatus(other)).toMatchObject({ status: 2, remoteDomid: a.domid, remotePort: port });
  });

  it("always set_pending on the binder's own port (compensates drops while unbound)", () => {
    const port = a.hypercalls.evtchnAllocUnbound(b.domid);
    expect(a.hypercalls.evtchnSend(port)).toBe(0);
    const other = b.hypercalls.evtchnBindInterdomain(a.domid, port);
    expect(b.pending(other)).toBe(true);
    expect(a.pending(port)).toBe(false);
  });

  it('-EINVAL: offered to somebody else', () => {
    const port = a.hypercalls.evtchnAllocUnbound(0);
    expect(b.hypercalls.evtchnBindInterdomain(a.domid, port)).toBe(EINVAL);
  });

  it('-EINVAL: bound already', () => {
    const { fromPort } = connect(a, b);
    expect(b.hypercalls.evtchnBindInterdomain(a.domid, fromPort)).toBe(EINVAL);
  });

  it.each([0, -1, 4096, 900, 0x7fff_ffff, Number.NaN])('-EINVAL: remote port %d', (port) => {
    expect(b.hypercalls.evtchnBindInterdomain(a.domid, port)).toBe(EINVAL);
  });

  it.each([77, -1, 128, 0x7fff])('-ESRCH: no domain %d', (domid) => {
    expect(b.hypercalls.evtchnBindInterdomain(domid, 1)).toBe(ESRCH);
  });

  it('leaves no port behind when it fails', () => {
    const before = b.hypercalls.evtchnAllocUnbound(a.domid);
    b.hypercalls.evtchnBindInterdomain(a.domid, 900);
    expect(b.hypercalls.evtchnAllocUnbound(a.domid)).toBe(before + 1);
  });
});

describe('bind_virq', () => {
  it('gives a port that the VIRQ arrives at', () => {
    const port = a.hypercalls.evtchnBindVirq(VIRQ_DEBUG);
    expect(a.hypercalls.evtchnStatus(port)).toEqual({ status: 4, remoteDomid: -1, remotePort: 0, virq: VIRQ_DEBUG });
    expect(machine.hypervisor.sendVirq(a.domid, VIRQ_DEBUG)).toBe(true);
    expect(a.pending(port)).toBe(true);
  });

  it('virq already bound -> -EEXIST; after closing it is free again', () => {
    const port = a.hypercalls.evtchnBindVirq(VIRQ_TIMER);
    expect(a.hypercalls.evtchnBindVirq(VIRQ_TIMER)).toBe(EEXIST);
    a.hypercalls.evtchnClose(port);
    expect(machine.hypervisor.sendVirq(a.domid, VIRQ_TIMER)).toBe(false);
    expect(a.hypercalls.evtchnBindVirq(VIRQ_TIMER)).toBe(port);
  });

  it.each([-1, 24, 1e9, Number.NaN])('-EINVAL: VIRQ %d', (virq) => {
    expect(a.hypercalls.evtchnBindVirq(virq)).toBe(EINVAL);
  });

  it('a VIRQ that is not bound is dropped', () => {
    expect(machine.hypervisor.sendVirq(a.domid, VIRQ_DEBUG)).toBe(false);
  });
});

describe('send(lport)', () => {
  it('interdomain -> set_pending(remote)', () => {
    const { fromPort, toPort } = connect(a, b);
    expect(a.hypercalls.evtchnSend(fromPort)).toBe(0);
    expect(b.pending(toPort)).toBe(true);
    b.clearEvents();
    expect(b.hypercalls.evtchnSend(toPort)).toBe(0);
    expect(a.pending(fromPort)).toBe(true);
  });

  it('unbound -> silently dropped, rc 0', () => {
    const port = a.hypercalls.evtchnAllocUnbound(b.domid);
    expect(a.hypercalls.evtchnSend(port)).toBe(0);
    expect(b.upcallPending).toBe(0);
  });

  it('closed -> -EINVAL', () => {
    const { fromPort } = connect(a, b);
    a.hypercalls.evtchnClose(fromPort);
    expect(a.hypercalls.evtchnSend(fromPort)).toBe(EINVAL);
  });

  it('virq -> -EINVAL', () => {
    expect(a.hypercalls.evtchnSend(a.hypercalls.evtchnBindVirq(VIRQ_DEBUG))).toBe(EINVAL);
  });

  it.each([0, -5, 4096, 2 ** 32, Number.NaN])('port %d -> -EINVAL', (port) => {
    expect(a.hypercalls.evtchnSend(port)).toBe(EINVAL);
  });

  it('a channel of a domain to itself works', () => {
    const port = a.hypercalls.evtchnAllocUnbound(a.domid);
    const other = a.hypercalls.evtchnBindInterdomain(a.domid, port);
    a.clearEvents();
    a.hypercalls.evtchnSend(other);
    expect(a.pending(port)).toBe(true);
    expect(a.pending(other)).toBe(false);
  });
});

describe('close', () => {
  it('clears pending', () => {
    const { fromPort, toPort } = connect(a, b);
    a.hypercalls.evtchnSend(fromPort);
    b.hypercalls.evtchnClose(toPort);
    expect(b.pending(toPort)).toBe(false);
  });

  it('the peer reverts to unbound', () => {
    const { fromPort, toPort } = connect(a, b);
    b.hypercalls.evtchnClose(toPort);
    expect(a.hypercalls.evtchnStatus(fromPort)).toMatchObject({ status: 1, remoteDomid: b.domid });
    expect(a.hypercalls.evtchnSend(fromPort)).toBe(0);
    expect(b.hypercalls.evtchnBindInterdomain(a.domid, fromPort)).toBe(toPort);
  });

  it('the mask bit is untouched', () => {
    const { fromPort } = connect(a, b);
    a.mask(fromPort);
    a.hypercalls.evtchnClose(fromPort);
    expect(a.masked(fromPort)).toBe(true);
  });

  it.each([0, 900, -1, 4096, Number.NaN])('port %d, not open -> -EINVAL', (port) => {
    expect(a.hypercalls.evtchnClose(port)).toBe(EINVAL);
  });
});

describe('status', () => {
  it('a free port is closed; a port that cannot be is undefined', () => {
    expect(a.hypercalls.evtchnStatus(900)).toEqual({ status: 0, remoteDomid: -1, remotePort: 0, virq: -1 });
    expect(a.hypercalls.evtchnStatus(4096)).toBeUndefined();
    expect(a.hypercalls.evtchnStatus(-1)).toBeUndefined();
  });
});
