import type { Memory, PageAllocator } from '@qanat/bytes';
import type { Random, TimerQueue } from '@qanat/clock';
import type { ArpConfig } from './config.ts';
import type { ArpEntry } from './entry.ts';

/** What ARP needs of the interface it serves. */
export interface ArpPort {
  /**
   * Sends one ARP packet from our MAC to `dstHi:dstLo` (see `writeFrame`).
   * @returns false when the device is full; ARP asks again later.
   */
  sendArp(
    dstHi: number,
    dstLo: number,
    operation: number,
    senderIp: number,
    targetHi: number,
    targetLo: number,
    targetIp: number,
  ): boolean;
  /**
   * Sends a packet that waited for this neighbour: `bytes` at `addr`, as they were given to `enqueue`, good until the
   * call returns.
   * @returns false when the device is full; `Arp.transmitReady` tries again.
   */
  sendPending(entry: ArpEntry, addr: number, bytes: number): boolean;
  /** A next hop did not answer (EHOSTUNREACH); its waiting packets follow by `dropPending`. */
  unreachable(ip: number): void;
  /** A packet that waited for it is dropped: time for an ICMP host unreachable, if it was somebody else's. */
  dropPending(ip: number, addr: number, bytes: number): void;
  /** Our address may be used. */
  addressReady(): void;
  /** Another host uses our address. `lost`: ARP does not answer for it any more. */
  addressConflict(macHi: number, macLo: number, lost: boolean): void;
}

export interface ArpOptions {
  readonly memory: Memory;
  /** Where the slots for waiting packets come from. */
  readonly pages: PageAllocator;
  readonly timers: TimerQueue;
  readonly random: Random;
  readonly port: ArpPort;
  /** Our MAC, six bytes. */
  readonly mac: Uint8Array;
  /** Largest packet that can wait, as given to `enqueue`: the MTU. */
  readonly maxPacketBytes: number;
  readonly config?: Partial<ArpConfig>;
}
