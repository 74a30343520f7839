import { Memory, PAGE_SIZE, Packet, PageAllocator } from '@qanat/bytes';
import { VirtualTime } from '@qanat/clock';
import * as ipv4 from '../src/index.ts';

export const SECOND = 1_000_000;
export const SRC = ipv4.parseAddress('10.0.0.1');
export const DST = ipv4.parseAddress('10.0.0.2');
const PAGES_AT = 1 << 20;
const PAGES = 512;
const BUILD = 1 << 16;
const INBOX = 1 << 18;

/** A reassembler on virtual time, and the means to make fragments for it. */
export class Bench {
  readonly memory = Memory.create({ bytes: PAGES_AT + PAGES * PAGE_SIZE, kernel: 'typescript' });
  readonly pages = new PageAllocator(PAGES_AT, PAGES * PAGE_SIZE);
  readonly time = new VirtualTime();
  readonly timeouts: Uint8Array[] = [];
  readonly packet = new Packet();
  readonly reassembler: ipv4.Reassembler;

  constructor(config: Partial<ipv4.Ipv4Config> = {}) {
    this.reassembler = new ipv4.Reassembler({
      memory: this.memory,
      pages: this.pages,
      timers: this.time.timers,
      config,
      onTimeExceeded: (addr, bytes) => this.timeouts.push(this.memory.u8.slice(addr, addr + bytes)),
    });
  }

  /** A datagram cut by the code under test. */
  split(payload: Uint8Array, mtu: number, o: { id?: number; options?: Uint8Array; protocol?: number } = {}) {
    const { id = 1, options = new Uint8Array(0), protocol = 17 } = o;
    const { memory } = this;
    const headerBytes = 20 + options.length;
    ipv4.writeHeader(memory, BUILD, headerBytes + payload.length, id, 0, 64, protocol, SRC, DST, 0);
    memory.u8[BUILD] = 0x40 | (headerBytes >>> 2);
    memory.u8.set(options, BUILD + 20);
    memory.u8.set(payload, BUILD + headerBytes);
    ipv4.updateChecksum(memory, BUILD);
    const fragments: Uint8Array[] = [];
    for (let i = 0; i < ipv4.fragmentCount(memory, BUILD, mtu); i++) {
      const bytes = ipv4.writeFragment(memory, BUILD, mtu, i, INBOX);
      fragments.push(memory.u8.slice(INBOX, INBOX + bytes));
    }
    return { whole: memory.u8.slice(BUILD, BUILD + headerBytes + payload.length), fragments };
  }

  /** One fragment made by hand. */
  fragment(offset: number, payload: Uint8Array | number, more: boolean, o: FragmentOptions = {}): Uint8Array {
    const { id = 1, src = SRC, protocol = 17, tos = 0 } = o;
    const data = typeof payload === 'number' ? new Uint8Array(payload).fill(offset >>> 3) : payload;
    const flags = (more ? ipv4.FLAG_MF : 0) | (offset >>> 3);
    ipv4.writeHeader(this.memory, BUILD, 20 + data.length, id, flags, 64, protocol, src, DST, tos);
    this.memory.u8.set(data, BUILD + 20);
    return this.memory.u8.slice(BUILD, BUILD + 20 + data.length);
  }

  /** Receives a fragment in one piece, or with its payload scattered. @returns the datagram if it is whole now. */
  receive(fragment: Uint8Array, cuts: readonly number[] = []): Uint8Array | undefined {
    const { memory, packet } = this;
    memory.u8.fill(0xdd, INBOX - 64, INBOX + fragment.length + 64);
    memory.u8.set(fragment, INBOX);
    packet.set(INBOX, fragment.length);
    packet.arrivedUs = this.time.clock.now();
    let from = (fragment[0]! & 15) << 2;
    const places = cuts.map((cut) => from + cut).filter((at) => at < fragment.length);
    if (places.length > 0) {
      packet.headLen = places[0]!;
      packet.fragCount = places.length;
      let to = INBOX + 0x20000;
      places.forEach((at, i) => {
        from = at;
        const piece = fragment.subarray(from, places[i + 1] ?? fragment.length);
        memory.u8.set(piece, to);
        packet.fragAddr[i] = to;
        packet.fragLen[i] = piece.length;
        to += piece.length + 100;
      });
    }
    const whole = this.reassembler.receive(packet, this.time.clock.now());
    return whole && memory.u8.slice(whole.addr, whole.addr + whole.len);
  }

  run(us: number): void {
    this.time.run(this.time.clock.now() + us);
  }
}

export interface FragmentOptions {
  id?: number;
  src?: number;
  protocol?: number;
  tos?: number;
}
