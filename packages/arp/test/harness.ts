import { Memory, PAGE_SIZE, PageAllocator } from '@qanat/bytes';
import { seededRandom, VirtualTime } from '@qanat/clock';
import { macHi, macLo, parseMac } from '@qanat/ethernet';
import { ARP_PACKET_BYTES, Arp, type ArpConfig, type ArpEntry, type ArpPort, writePacket } from '../src/index.ts';

export const MY_MAC = parseMac('00:16:3e:00:00:01');
export const MY_IP = 0xc0a80801 | 0;
export const MASK = 0xffffff00 | 0;
export const PEER_MAC = parseMac('00:16:3e:00:00:02');
export const PEER_IP = 0xc0a80802 | 0;
export const SECOND = 1_000_000;

export interface Sent {
  atUs: number;
  dstHi: number;
  operation: number;
  senderIp: number;
  targetIp: number;
}

/** One ARP instance on virtual time with everything it did written down. */
export class Harness implements ArpPort {
  readonly memory = Memory.create({ bytes: 1 << 20, kernel: 'typescript' });
  readonly pages = new PageAllocator(PAGE_SIZE * 16, PAGE_SIZE * 128);
  readonly time = new VirtualTime();
  readonly sent: Sent[] = [];
  readonly delivered: { ip: number; macLo: number; first: number; bytes: number }[] = [];
  readonly dropped: { ip: number; first: number }[] = [];
  readonly failed: number[] = [];
  readonly conflicts: boolean[] = [];
  ready = 0;
  /** The device takes this many more frames. */
  room = Number.POSITIVE_INFINITY;
  readonly arp: Arp;

  constructor(config: Partial<ArpConfig> = {}) {
    this.arp = new Arp({
      memory: this.memory,
      pages: this.pages,
      timers: this.time.timers,
      random: seededRandom(1),
      port: this,
      mac: MY_MAC,
      maxPacketBytes: 1500,
      config,
    });
  }

  get now(): number {
    return this.time.clock.now();
  }

  start(): this {
    this.arp.setAddress(MY_IP, MASK, this.now);
    this.run(10 * SECOND);
    this.sent.length = 0;
    return this;
  }

  /** Lets `us` microseconds pass. */
  run(us: number): void {
    const untilUs = this.now + us;
    this.time.run(untilUs);
    if (this.now < untilUs) this.time.clock.advanceTo(untilUs);
  }

  enqueue(ip: number, mark: number, bytes = 100): number {
    this.memory.u8[64] = mark;
    return this.arp.enqueue(ip, 64, bytes, this.now);
  }

  packet(operation: number, mac: Uint8Array, ip: number, targetMac: Uint8Array, targetIp: number): void {
    const [hi, lo, targetHi, targetLo] = [macHi(mac), macLo(mac), macHi(targetMac), macLo(targetMac)];
    writePacket(this.memory, 256, operation, hi, lo, ip, targetHi, targetLo, targetIp);
    this.arp.receive(256, ARP_PACKET_BYTES, this.now);
  }

  sendArp(dstHi: number, _lo: number, operation: number, senderIp: number, _h: number, _l: number, targetIp: number) {
    if (this.room <= 0) return false;
    this.room--;
    this.sent.push({ atUs: this.now, dstHi, operation, senderIp, targetIp });
    return true;
  }

  sendPending(entry: ArpEntry, addr: number, bytes: number): boolean {
    if (this.room <= 0) return false;
    this.room--;
    this.delivered.push({ ip: entry.ip, macLo: entry.macLo, first: this.memory.u8[addr]!, bytes });
    return true;
  }

  unreachable(ip: number): void {
    this.failed.push(ip);
  }

  dropPending(ip: number, addr: number): void {
    this.dropped.push({ ip, first: this.memory.u8[addr]! });
  }

  addressReady(): void {
    this.ready++;
  }

  addressConflict(_hi: number, _lo: number, lost: boolean): void {
    this.conflicts.push(lost);
  }
}
