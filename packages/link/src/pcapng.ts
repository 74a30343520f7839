import type { Memory, Packet } from '@qanat/bytes';

/**
 * The pcapng file format (draft-ietf-opsawg-pcapng), little-endian: a section header, interface description blocks and
 * enhanced packet blocks, with stamps in nanoseconds.
 */
const BLOCK_SECTION_HEADER = 0x0a0d_0d0a;
const BLOCK_INTERFACE = 1;
const BLOCK_ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;
const LINKTYPE_ETHERNET = 1;

const OPTION_END = 0;
const OPTION_COMMENT = 1;
const OPTION_SECTION_APPLICATION = 4;
const OPTION_INTERFACE_NAME = 2;
const OPTION_INTERFACE_MAC = 6;
const OPTION_INTERFACE_TIME_RESOLUTION = 9;
const OPTION_PACKET_FLAGS = 2;
/** if_tsresol: units of 10^-9 s. */
const NANOSECONDS = 9;

/** Fixed part of an enhanced packet block, with its trailing length. */
const PACKET_BLOCK_BYTES = 32;
const MAX_COMMENT_BYTES = 0xffff;
const DEFAULT_CHUNK_BYTES = 0x1_0000;
const TWO_TO_32 = 0x1_0000_0000;

/** epb_flags bits 0-1. */
export const PCAP_DIRECTION_UNKNOWN = 0;
export const PCAP_DIRECTION_IN = 1;
export const PCAP_DIRECTION_OUT = 2;

export interface PcapngOptions {
  /** Who wrote it (shb_userappl). */
  readonly application?: string;
  /** What the clock's 0 is in microseconds since 1970, so that stamps become dates. Default 0: runs repeat to the byte. */
  readonly epochUs?: number;
  /** Bytes kept of each frame; 0 (default) keeps all. */
  readonly snapBytes?: number;
  /** Most bytes written in all; later packets are only counted. Default no limit. */
  readonly maxBytes?: number;
  /** About how much is gathered before the sink gets it. Default 64 KiB. */
  readonly chunkBytes?: number;
}

const pad4 = (bytes: number): number => (bytes + 3) & ~3;

/** Writes a capture that Wireshark opens. */
export class PcapngWriter {
  /** Packets written, and those left out because of `maxBytes`. */
  packets = 0;
  droppedPackets = 0;
  /** Bytes written, those not yet handed to the sink included. */
  bytes = 0;
  readonly #sink: (chunk: Uint8Array) => void;
  readonly #epochUs: number;
  readonly #snapBytes: number;
  readonly #maxBytes: number;
  readonly #chunkBytes: number;
  readonly #encoder = new TextEncoder();
  #buffer: Uint8Array;
  #view: DataView;
  #used = 0;
  #interfaces = 0;

  /** @param sink gets the file in pieces, in order; each piece is its to keep. */
  constructor(sink: (chunk: Uint8Array) => void, options: PcapngOptions = {}) {
    this.#sink = sink;
    this.#epochUs = options.epochUs ?? 0;
    this.#snapBytes = options.snapBytes ?? 0;
    this.#maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
    this.#chunkBytes = options.chunkBytes ?? DEFAULT_CHUNK_BYTES;
    this.#buffer = new Uint8Array(this.#chunkBytes);
    this.#view = new DataView(this.#buffer.buffer);
    this.#sectionHeader(options.application ?? 'Qanat');
  }

  /**
   * Describes an Ethernet interface. @param mac six bytes.
   * @returns its number, for `packet` and `frame`.
   */
  addInterface(name: string, mac?: Uint8Array): number {
    const nameBytes = this.#encoder.encode(name).subarray(0, MAX_COMMENT_BYTES);
    const start = this.#begin(BLOCK_INTERFACE, 64 + nameBytes.length);
    this.#u16(LINKTYPE_ETHERNET);
    this.#u16(0);
    this.#u32(this.#snapBytes);
    this.#option(OPTION_INTERFACE_NAME, nameBytes);
    if (mac !== undefined) this.#option(OPTION_INTERFACE_MAC, mac);
    this.#option(OPTION_INTERFACE_TIME_RESOLUTION, Uint8Array.of(NANOSECONDS));
    this.#u32(OPTION_END);
    this.#end(start);
    return this.#interfaces++;
  }

  /**
   * Writes a frame from machine memory.
   * @param timeUs of the writer's clock; fractions count down to nanoseconds. @param direction PCAP_DIRECTION_*.
   * @param comment shown by Wireshark as a packet comment.
   * @returns whether it was written (`maxBytes`).
   */
  packet(iface: number, timeUs: number, memory: Memory, packet: Packet, direction = 0, comment?: string): boolean {
    const kept = this.#snapBytes > 0 ? Math.min(this.#snapBytes, packet.len) : packet.len;
    const commentBytes = this.#commentBytes(comment);
    const start = this.#beginPacket(iface, timeUs, kept, packet.len, commentBytes);
    if (start < 0) return false;
    let left = kept;
    let piece = packet.fragCount === 0 ? left : Math.min(left, packet.headLen);
    this.#raw(memory.u8.subarray(packet.addr, packet.addr + piece));
    for (let i = 0; i < packet.fragCount && (left -= piece) > 0; i++) {
      piece = Math.min(left, packet.fragLen[i]!);
      this.#raw(memory.u8.subarray(packet.fragAddr[i]!, packet.fragAddr[i]! + piece));
    }
    this.#endPacket(start, kept, direction, commentBytes);
    return true;
  }

  /** Writes a frame from bytes; parameters as for `packet`. */
  frame(iface: number, timeUs: number, frame: Uint8Array, direction = 0, comment?: string): boolean {
    const kept = this.#snapBytes > 0 ? Math.min(this.#snapBytes, frame.length) : frame.length;
    const commentBytes = this.#commentBytes(comment);
    const start = this.#beginPacket(iface, timeUs, kept, frame.length, commentBytes);
    if (start < 0) return false;
    this.#raw(frame.subarray(0, kept));
    this.#endPacket(start, kept, direction, commentBytes);
    return true;
  }

  /** Hands what was gathered to the sink. To be called at the end, too. */
  flush(): void {
    if (this.#used === 0) return;
    const chunk = this.#buffer.slice(0, this.#used);
    this.#used = 0;
    this.#sink(chunk);
  }

  #sectionHeader(application: string): void {
    const name = this.#encoder.encode(application).subarray(0, MAX_COMMENT_BYTES);
    const start = this.#begin(BLOCK_SECTION_HEADER, 64 + name.length);
    this.#u32(BYTE_ORDER_MAGIC);
    this.#u16(1);
    this.#u16(0);
    // The section's length is not known: -1.
    this.#u32(0xffff_ffff);
    this.#u32(0xffff_ffff);
    this.#option(OPTION_SECTION_APPLICATION, name);
    this.#u32(OPTION_END);
    this.#end(start);
  }

  #commentBytes(comment: string | undefined): Uint8Array | undefined {
    if (comment === undefined) return undefined;
    const bytes = this.#encoder.encode(comment);
    if (bytes.length <= MAX_COMMENT_BYTES) return bytes;
    // Cut between characters: continuation bytes are 10xxxxxx.
    let end = MAX_COMMENT_BYTES;
    while ((bytes[end]! & 0xc0) === 0x80) end--;
    return bytes.subarray(0, end);
  }

  /** @returns where the block begins, or -1 when there is no room for it. */
  #beginPacket(iface: number, timeUs: number, kept: number, length: number, comment: Uint8Array | undefined): number {
    const options = comment === undefined ? 12 : 16 + pad4(comment.length);
    const blockBytes = PACKET_BLOCK_BYTES + pad4(kept) + options;
    if (this.bytes + blockBytes > this.#maxBytes) {
      this.droppedPackets++;
      return -1;
    }
    const start = this.#begin(BLOCK_ENHANCED_PACKET, blockBytes);
    this.#u32(iface);
    // 64 bits of nanoseconds without BigInt: the halves of the microseconds times 1000, with the carry; all exact.
    const us = Math.floor(timeUs);
    const absoluteUs = us + this.#epochUs;
    const highUs = Math.floor(absoluteUs / TWO_TO_32);
    const low = (absoluteUs - highUs * TWO_TO_32) * 1000 + Math.floor((timeUs - us) * 1000);
    this.#u32(highUs * 1000 + Math.floor(low / TWO_TO_32));
    this.#u32(low % TWO_TO_32);
    this.#u32(kept);
    this.#u32(length);
    return start;
  }

  #endPacket(start: number, kept: number, direction: number, comment: Uint8Array | undefined): void {
    this.#zero(pad4(kept) - kept);
    if (comment !== undefined) this.#option(OPTION_COMMENT, comment);
    this.#u16(OPTION_PACKET_FLAGS);
    this.#u16(4);
    this.#u32(direction);
    this.#u32(OPTION_END);
    this.#end(start);
    this.packets++;
  }

  /** Makes room for a block of at most `bytes` and writes its type. @returns where it begins. */
  #begin(type: number, bytes: number): number {
    if (this.#used + bytes > this.#buffer.length) this.flush();
    if (bytes > this.#buffer.length) {
      this.#buffer = new Uint8Array(bytes);
      this.#view = new DataView(this.#buffer.buffer);
    }
    const start = this.#used;
    this.#u32(type);
    this.#u32(0);
    return start;
  }

  /** Writes the block's length at both its ends. */
  #end(start: number): void {
    const length = this.#used - start + 4;
    this.#u32(length);
    this.#view.setUint32(start + 4, length, true);
    this.bytes += length;
    if (this.#used >= this.#chunkBytes) this.flush();
  }

  #option(code: number, value: Uint8Array): void {
    this.#u16(code);
    this.#u16(value.length);
    this.#raw(value);
    this.#zero(pad4(value.length) - value.length);
  }

  #raw(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  #zero(bytes: number): void {
    this.#buffer.fill(0, this.#used, this.#used + bytes);
    this.#used += bytes;
  }

  #u16(value: number): void {
    this.#view.setUint16(this.#used, value, true);
    this.#used += 2;
  }

  #u32(value: number): void {
    this.#view.setUint32(this.#used, value, true);
    this.#used += 4;
  }
}
