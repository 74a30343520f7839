import * as wire from '../src/wire.ts';

/** One option of a TCP header as tests write it. */
export type Option =
  | { kind: 'mss'; value: number }
  | { kind: 'wscale'; value: number }
  | { kind: 'sackOK' }
  | { kind: 'TS'; val: number; ecr: number }
  | { kind: 'sack'; blocks: [number, number][] }
  | { kind: 'FO'; cookie: Uint8Array }
  | { kind: 'nop' }
  | { kind: 'eol' }
  | { kind: 'raw'; bytes: Uint8Array };

/** A segment as it stood on the wire, with absolute numbers. */
export interface WireSegment {
  srcPort: number;
  dstPort: number;
  seq: number;
  ack: number;
  flags: number;
  window: number;
  checksum: number;
  urgent: number;
  options: Option[];
  payload: Uint8Array;
}

const LETTERS: readonly [string, number][] = [
  ['S', wire.SYN],
  ['F', wire.FIN],
  ['R', wire.RST],
  ['P', wire.PSH],
  ['.', wire.ACK],
  ['U', wire.URG],
  ['E', wire.ECE],
  ['W', wire.CWR],
  ['A', wire.AE],
];

/** Flags in tcpdump's letters: `.` is ACK, `-` is none. */
export function flagsText(flags: number): string {
  return (
    LETTERS.filter(([, bit]) => flags & bit)
      .map(([letter]) => letter)
      .join('') || '-'
  );
}

export function flagsOf(text: string): number {
  let flags = 0;
  for (const letter of text) {
    if (letter === '-') continue;
    const entry = LETTERS.find(([l]) => l === letter);
    if (entry === undefined) throw new Error(`flag ${letter} in ${text}`);
    flags |= entry[1];
  }
  return flags;
}

export function encodeOptions(options: readonly Option[]): Uint8Array {
  const out: number[] = [];
  const u32 = (v: number) => out.push((v >>> 24) & 255, (v >>> 16) & 255, (v >>> 8) & 255, v & 255);
  for (const o of options) {
    switch (o.kind) {
      case 'nop':
        out.push(1);
        break;
      case 'eol':
        out.push(0);
        break;
      case 'mss':
        out.push(2, 4, o.value >>> 8, o.value & 255);
        break;
      case 'wscale':
        out.push(3, 3, o.value);
        break;
      case 'sackOK':
        out.push(4, 2);
        break;
      case 'sack':
        out.push(5, 2 + 8 * o.blocks.length);
        for (const [left, right] of o.blocks) {
          u32(left);
          u32(right);
        }
        break;
      case 'TS':
        out.push(8, 10);
        u32(o.val);
        u32(o.ecr);
        break;
      case 'FO':
        out.push(34, 2 + o.cookie.length, ...o.cookie);
        break;
      case 'raw':
        out.push(...o.bytes);
    }
  }
  while (out.length & 3) out.push(0);
  return Uint8Array.from(out);
}

/** Reads options strictly: anything odd in what we sent is an error of ours. */
export function decodeOptions(bytes: Uint8Array): Option[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const options: Option[] = [];
  for (let at = 0; at < bytes.length; ) {
    const kind = bytes[at]!;
    if (kind === 0) {
      options.push({ kind: 'eol' });
      if (bytes.subarray(at).some((b) => b !== 0)) throw new Error('padding after the end of options is not zero');
      break;
    }
    if (kind === 1) {
      options.push({ kind: 'nop' });
      at++;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    if (length < 2 || at + length > bytes.length) throw new Error(`option ${kind} of length ${length} at ${at}`);
    const expectLength = (n: number) => {
      if (length !== n) throw new Error(`option ${kind} of length ${length}`);
    };
    switch (kind) {
      case 2:
        expectLength(4);
        options.push({ kind: 'mss', value: view.getUint16(at + 2) });
        break;
      case 3:
        expectLength(3);
        options.push({ kind: 'wscale', value: bytes[at + 2]! });
        break;
      case 4:
        expectLength(2);
        options.push({ kind: 'sackOK' });
        break;
      case 5: {
        if ((length - 2) & 7) throw new Error(`SACK of length ${length}`);
        const blocks: [number, number][] = [];
        for (let b = at + 2; b < at + length; b += 8) blocks.push([view.getInt32(b), view.getInt32(b + 4)]);
        options.push({ kind: 'sack', blocks });
        break;
      }
      case 8:
        expectLength(10);
        options.push({ kind: 'TS', val: view.getInt32(at + 2), ecr: view.getInt32(at + 6) });
        break;
      case 34:
        options.push({ kind: 'FO', cookie: bytes.slice(at + 2, at + length) });
        break;
      default:
        options.push({ kind: 'raw', bytes: bytes.slice(at, at + length) });
    }
    at += length;
  }
  return options;
}

/** A whole segment with its checksum over the pseudo-header. */
export function encodeSegment(
  s: Omit<WireSegment, 'checksum'>,
  src: number,
  dst: number,
  dataOffset?: number,
): Uint8Array {
  const options = encodeOptions(s.options);
  const header = 20 + options.length;
  const bytes = new Uint8Array(header + s.payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, s.srcPort);
  view.setUint16(2, s.dstPort);
  view.setInt32(4, s.seq);
  view.setInt32(8, s.ack);
  bytes[12] = ((dataOffset ?? header / 4) << 4) | (s.flags >>> 8);
  bytes[13] = s.flags;
  view.setUint16(14, s.window);
  view.setUint16(18, s.urgent);
  bytes.set(options, 20);
  bytes.set(s.payload, header);
  view.setUint16(16, checksumOf(bytes, src, dst));
  return bytes;
}

export function decodeSegment(bytes: Uint8Array): WireSegment {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = (bytes[12]! >>> 4) * 4;
  if (header < 20 || header > bytes.length) throw new Error(`data offset ${header} of ${bytes.length} bytes`);
  if (bytes[12]! & 14) throw new Error('reserved bits are set');
  return {
    srcPort: view.getUint16(0),
    dstPort: view.getUint16(2),
    seq: view.getInt32(4),
    ack: view.getInt32(8),
    flags: ((bytes[12]! & 1) << 8) | bytes[13]!,
    window: view.getUint16(14),
    checksum: view.getUint16(16),
    urgent: view.getUint16(18),
    options: decodeOptions(bytes.subarray(20, header)),
    payload: bytes.slice(header),
  };
}

/** The Internet checksum of a segment whose checksum field counts as it stands, RFC 9293 section 3.1. */
export function checksumOf(bytes: Uint8Array, src: number, dst: number): number {
  let sum = (src >>> 16) + (src & 0xffff) + (dst >>> 16) + (dst & 0xffff) + 6 + bytes.length;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
