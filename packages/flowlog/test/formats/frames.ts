/** Packets and capture files made by hand, field by field, for the readers. */

export interface PacketFields {
  readonly from?: string;
  readonly to?: string;
  readonly fromPort?: number;
  readonly toPort?: number;
  readonly seq?: number;
  readonly ack?: number;
  readonly flags?: number;
  readonly window?: number;
  readonly options?: readonly number[];
  readonly payload?: number;
}

const address = (text: string) => text.split('.').map(Number);
const be16 = (value: number) => [(value >>> 8) & 0xff, value & 0xff];
const be32 = (value: number) => [...be16(value >>> 16), ...be16(value & 0xffff)];

/** IPv4 and TCP, checksums 0. */
export function ipPacket(fields: PacketFields = {}): number[] {
  const { from = '10.0.0.1', to = '10.0.0.2', fromPort = 40_000, toPort = 80 } = fields;
  const { seq = 1, ack = 1, flags = 0x10, window = 1000, options = [], payload = 0 } = fields;
  const tcpBytes = 20 + options.length;
  return [
    ...[0x45, 0, ...be16(20 + tcpBytes + payload), 0, 0, 0x40, 0, 64, 6, 0, 0, ...address(from), ...address(to)],
    ...[...be16(fromPort), ...be16(toPort), ...be32(seq), ...be32(ack), (tcpBytes / 4) << 4, flags],
    ...[...be16(window), 0, 0, 0, 0, ...options],
    ...new Array<number>(payload).fill(0x61),
  ];
}

/** What stands before the IPv4 header, by the name of the link type. */
export const LINKS: Readonly<Record<string, { readonly type: number; readonly head: readonly number[] }>> = {
  ethernet: { type: 1, head: [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0] },
  vlan: { type: 1, head: [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 5, 8, 0] },
  'two tags': { type: 1, head: [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0] },
  raw: { type: 101, head: [] },
  'raw of BSD': { type: 12, head: [] },
  ipv4: { type: 228, head: [] },
  'cooked v1': { type: 113, head: [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0] },
  'cooked v1, tagged': { type: 113, head: [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x81, 0, 0, 9, 8, 0] },
  'cooked v2': { type: 276, head: [8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0] },
  'null, little': { type: 0, head: [2, 0, 0, 0] },
  'null, big': { type: 0, head: [0, 0, 0, 2] },
  loop: { type: 108, head: [0, 0, 0, 2] },
};

/** Writes numbers in a byte order. */
export class Bytes {
  readonly list: number[] = [];
  readonly #little: boolean;

  constructor(little: boolean) {
    this.#little = little;
  }

  u16(...values: number[]): this {
    for (const value of values) this.list.push(...this.#ordered(be16(value)));
    return this;
  }

  u32(...values: number[]): this {
    for (const value of values) this.list.push(...this.#ordered(be32(value)));
    return this;
  }

  raw(bytes: readonly number[]): this {
    this.list.push(...bytes);
    return this;
  }

  #ordered(bytes: number[]): number[] {
    return this.#little ? bytes.reverse() : bytes;
  }
}

export interface CapturedPacket {
  readonly seconds: number;
  readonly fraction: number;
  readonly bytes: readonly number[];
  readonly original?: number;
}

export interface PcapOptions {
  readonly little?: boolean;
  readonly magic?: number;
  readonly linkType?: number;
}

export function pcapFile(packets: readonly CapturedPacket[], options: PcapOptions = {}): Uint8Array {
  const { little = true, magic = 0xa1b2_c3d4, linkType = 1 } = options;
  const out = new Bytes(little).u32(magic).u16(2, 4).u32(0, 0, 65_535, linkType);
  for (const { seconds, fraction, bytes, original = bytes.length } of packets) {
    out.u32(seconds, fraction, bytes.length, original);
    if (magic === 0xa1b2_cd34) out.u32(1).u16(8).raw([0, 0]);
    out.raw(bytes);
  }
  return Uint8Array.from(out.list);
}

const pad = (bytes: readonly number[]) => [...bytes, ...new Array<number>((4 - (bytes.length % 4)) % 4).fill(0)];

/** A block of pcapng: its type, and what stands between the two lengths. */
export function block(little: boolean, type: number, body: readonly number[]): number[] {
  const length = 12 + body.length;
  return new Bytes(little).u32(type, length).raw(body).u32(length).list;
}

export function sectionBlock(little: boolean): number[] {
  return block(little, 0x0a0d_0d0a, new Bytes(little).u32(0x1a2b_3c4d).u16(1, 0).u32(0xffff_ffff, 0xffff_ffff).list);
}

/** @param options as [code, value] pairs. */
export function interfaceBlock(
  little: boolean,
  linkType: number,
  options: readonly (readonly [number, readonly number[]])[] = [],
): number[] {
  const body = new Bytes(little).u16(linkType, 0).u32(0);
  for (const [code, value] of options) body.u16(code, value.length).raw(pad(value));
  if (options.length > 0) body.u32(0);
  return block(little, 1, body.list);
}

/** An enhanced packet block. @param ticks of the interface's resolution. @param flags epb_flags, none when undefined. */
export function packetBlock(
  little: boolean,
  iface: number,
  ticks: bigint,
  bytes: readonly number[],
  flags?: number,
): number[] {
  const body = new Bytes(little).u32(iface, Number(ticks >> 32n), Number(ticks & 0xffff_ffffn));
  body.u32(bytes.length, bytes.length).raw(pad(bytes));
  if (flags !== undefined) body.u16(2, 4).u32(flags).u32(0);
  return block(little, 6, body.list);
}
