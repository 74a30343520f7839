import type { Memory } from '@qanat/bytes';
import { type Clock, RealClock } from '@qanat/clock';
import {
  DOM_STATE,
  DOMAIN_ALIVE,
  DOMAIN_SHIFT,
  DOMAIN_TABLE_ADDR,
  MACHINE_ADDR,
  MACHINE_CLOCK_ORIGIN_US,
  MACHINE_FRAMES,
  MACHINE_MAGIC,
  MACHINE_MAGIC_VALUE,
  MACHINE_VERSION,
  MACHINE_VERSION_VALUE,
  MAX_DOMAINS,
} from './machine-layout.ts';

/** What the parts of the hypervisor share within one thread: the memory, the clock, and the hooks of tests. */
export class MachineState {
  readonly memory: Memory;
  readonly i32: Int32Array;
  readonly u8: Uint8Array;
  readonly clock: Clock;
  readonly clockOriginUs: number;
  readonly frames: number;
  /** See `Hypervisor.step`. */
  step: ((point: string) => void) | undefined;
  /** See `Hypervisor.onWake`. */
  onWake: ((domid: number) => void) | undefined;

  constructor(memory: Memory, clock?: Clock) {
    const header = MACHINE_ADDR >>> 2;
    if (
      memory.u32[header + (MACHINE_MAGIC >>> 2)] !== MACHINE_MAGIC_VALUE ||
      memory.u32[header + (MACHINE_VERSION >>> 2)] !== MACHINE_VERSION_VALUE
    ) {
      throw new Error('no machine in this memory: Hypervisor.create comes first');
    }
    this.memory = memory;
    this.i32 = memory.i32;
    this.u8 = memory.u8;
    this.clockOriginUs = memory.f64[(MACHINE_ADDR + MACHINE_CLOCK_ORIGIN_US) >>> 3]!;
    this.clock = clock ?? new RealClock(this.clockOriginUs);
    this.frames = memory.u32[header + (MACHINE_FRAMES >>> 2)]!;
  }

  /** Nanoseconds of machine time; exact to the microsecond. */
  nowNs(): number {
    return this.clock.now() * 1000;
  }

  /** @returns the address of a domain's record, or 0 for a domid that no domain can have. */
  recordAddr(domid: number): number {
    return domid >= 0 && domid < MAX_DOMAINS ? DOMAIN_TABLE_ADDR + (domid << DOMAIN_SHIFT) : 0;
  }

  /** @returns the address of the record of a domain that exists, or 0. */
  aliveRecord(domid: number): number {
    const record = this.recordAddr(domid);
    return record !== 0 && Atomics.load(this.i32, (record + DOM_STATE) >>> 2) === DOMAIN_ALIVE ? record : 0;
  }
}
