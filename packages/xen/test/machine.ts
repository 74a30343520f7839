import { Memory } from '@qanat/bytes';
import { VirtualClock } from '@qanat/clock';
import {
  type DomainRecord,
  Hypercalls,
  Hypervisor,
  SHARED_EVTCHN_MASK,
  SHARED_EVTCHN_PENDING,
  VCPU_PENDING_SEL,
  VCPU_UPCALL_MASK,
  VCPU_UPCALL_PENDING,
} from '../src/index.ts';

/** One domain of a test machine, and its shared words in plain sight. */
export class TestDomain {
  readonly hypervisor: Hypervisor;
  readonly hypercalls: Hypercalls;
  readonly record: DomainRecord;
  readonly domid: number;
  /** How often its vcpu was descheduled. */
  descheduled = 0;
  /** Runs while the vcpu is descheduled; without it the vcpu simply stays blocked. */
  whileBlocked: (() => void) | undefined;

  constructor(hypervisor: Hypervisor, name: string, bytes = 0x1_0000) {
    this.hypervisor = hypervisor;
    this.domid = hypervisor.createDomain({ name, bytes });
    this.hypercalls = new Hypercalls(hypervisor, this.domid);
    this.record = hypervisor.domain(this.domid)!;
    this.hypercalls.cpu = {
      deschedule: () => {
        this.descheduled++;
        this.whileBlocked?.();
      },
      yieldCpu: () => {},
    };
  }

  bit(base: number, port: number): boolean {
    return ((this.hypervisor.memory.u8[this.record.sharedInfoAddr + base + (port >>> 3)]! >>> (port & 7)) & 1) === 1;
  }

  setBit(base: number, port: number, on = true): void {
    const at = this.record.sharedInfoAddr + base + (port >>> 3);
    const { u8 } = this.hypervisor.memory;
    u8[at] = on ? u8[at]! | (1 << (port & 7)) : u8[at]! & ~(1 << (port & 7));
  }

  pending(port: number): boolean {
    return this.bit(SHARED_EVTCHN_PENDING, port);
  }

  mask(port: number, on = true): void {
    this.setBit(SHARED_EVTCHN_MASK, port, on);
  }

  masked(port: number): boolean {
    return this.bit(SHARED_EVTCHN_MASK, port);
  }

  /** Bit of the selector word. */
  sel(word: number): boolean {
    return this.bit(VCPU_PENDING_SEL, word);
  }

  get upcallPending(): number {
    return this.hypervisor.memory.u8[this.record.sharedInfoAddr + VCPU_UPCALL_PENDING]!;
  }

  set upcallPending(value: number) {
    this.hypervisor.memory.u8[this.record.sharedInfoAddr + VCPU_UPCALL_PENDING] = value;
  }

  get upcallMask(): number {
    return this.hypervisor.memory.u8[this.record.sharedInfoAddr + VCPU_UPCALL_MASK]!;
  }

  set upcallMask(value: number) {
    this.hypervisor.memory.u8[this.record.sharedInfoAddr + VCPU_UPCALL_MASK] = value;
  }

  /** Forgets all events, as a guest that has demuxed them. */
  clearEvents(): void {
    const { u8 } = this.hypervisor.memory;
    const base = this.record.sharedInfoAddr;
    this.upcallPending = 0;
    u8.fill(0, base + VCPU_PENDING_SEL, base + VCPU_PENDING_SEL + 8);
    u8.fill(0, base + SHARED_EVTCHN_PENDING, base + SHARED_EVTCHN_PENDING + 512);
  }
}

export interface TestMachine {
  readonly clock: VirtualClock;
  readonly hypervisor: Hypervisor;
  readonly dom0: TestDomain;
  readonly a: TestDomain;
  readonly b: TestDomain;
}

/** A machine with Dom0 and two domains, on virtual time. */
export function testMachine(bytes = 4 << 20): TestMachine {
  const clock = new VirtualClock(1_000_000);
  const hypervisor = Hypervisor.create(Memory.create({ bytes }), { clockOriginUs: 0, clock });
  return {
    clock,
    hypervisor,
    dom0: new TestDomain(hypervisor, 'Domain-0'),
    a: new TestDomain(hypervisor, 'a'),
    b: new TestDomain(hypervisor, 'b'),
  };
}

/** Binds a channel between two domains. @returns the port at each end; both ends have no events. */
export function connect(from: TestDomain, to: TestDomain): { fromPort: number; toPort: number } {
  const fromPort = from.hypercalls.evtchnAllocUnbound(to.domid);
  const toPort = to.hypercalls.evtchnBindInterdomain(from.domid, fromPort);
  if (fromPort <= 0 || toPort <= 0) throw new Error(`no channel: ${fromPort}, ${toPort}`);
  to.clearEvents();
  from.clearEvents();
  return { fromPort, toPort };
}
