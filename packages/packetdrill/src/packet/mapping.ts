import type { TcpOption } from '../ast.ts';
import { type LiveOption, PROTOCOL_TCP } from './decode.ts';

/**
 * The TCP connection that a script's packets belong to, and how the script's numbers become live ones. Scripts count
 * sequence numbers from the initial ones and choose their own timestamps; the stack under test chooses at random.
 */
export class ConnectionMap {
  /** `listening` until a packet comes, then `passive`; `active` from connect() on. */
  state: 'fresh' | 'listening' | 'passive' | 'active' | 'dissolved' = 'fresh';
  localPort = 0;
  remotePort = 0;
  /** IPPROTO_*: what an ICMP error quotes when its line does not say. */
  readonly protocol: number;
  /** Our initial sequence number as it was on the wire, and as the script writes it; known from the first SYN. */
  localIsn: { readonly live: number; readonly script: number } | undefined;
  /** The remote initial sequence number: the script's is the live one. */
  remoteIsn: number | undefined;
  /** Sequence number of the newest SYN of the remote side: the ISN of the next incarnation, if one begins. */
  newestSyn: number | undefined;
  timestamps = new TimestampMap();

  constructor(protocol = PROTOCOL_TCP) {
    this.protocol = protocol;
  }

  /** Forgets everything but the ports: connect() opens anew. */
  restart(): void {
    this.localIsn = undefined;
    this.remoteIsn = undefined;
    this.timestamps = new TimestampMap();
  }

  /** Live sequence number of an inbound segment. SYNs are absolute, everything else counts from the ISN. */
  inboundSeq(script: number, syn: boolean): number {
    return syn ? script : (script + (this.remoteIsn ?? 0)) >>> 0;
  }

  /** Live acknowledgment number (or SACK edge) of an inbound segment: it speaks of our sequence numbers. */
  inboundAck(script: number, syn: boolean): number {
    const isn = this.localIsn;
    if (!isn) return script;
    return (syn ? script - isn.script + isn.live : script + isn.live) >>> 0;
  }

  /** Script's sequence number of an outbound segment. */
  outboundSeq(live: number, syn: boolean): number {
    const isn = this.localIsn;
    if (!isn) return live;
    return (syn ? live - isn.live + isn.script : live - isn.live) >>> 0;
  }

  /** Script's acknowledgment number (or SACK edge) of an outbound segment. */
  outboundAck(live: number, syn: boolean): number {
    return syn ? live : (live - (this.remoteIsn ?? 0)) >>> 0;
  }

  /** A live option in the script's terms; one that scripts have no word for is undefined. */
  outboundOption(option: LiveOption, syn: boolean): TcpOption | undefined {
    const { kind, data } = option;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (kind === 0) return { kind: 'eol' };
    if (kind === 1) return { kind: 'nop' };
    if (kind === 2 && data.length === 2) return { kind: 'mss', value: view.getUint16(0) };
    if (kind === 3 && data.length === 1) return { kind: 'wscale', value: data[0]! };
    if (kind === 4 && data.length === 0) return { kind: 'sackOK' };
    if (kind === 5 && data.length % 8 === 0) {
      const blocks = Array.from({ length: data.length / 8 }, (_, i) => ({
        left: this.outboundAck(view.getUint32(i * 8), syn),
        right: this.outboundAck(view.getUint32(i * 8 + 4), syn),
      }));
      return { kind: 'sack', blocks };
    }
    if (kind === 8 && data.length === 8) {
      return { kind: 'TS', val: this.timestamps.toScript(view.getUint32(0)), ecr: view.getUint32(4) };
    }
    if (kind === 19 && data.length === 16) return { kind: 'md5', digest: [...data] };
    if (kind === 34) return { kind: 'FO', cookie: [...data] };
    if (kind === 254 && data.length >= 2 && view.getUint16(0) === 0xf989)
      return { kind: 'FOEXP', cookie: [...data.subarray(2)] };
    return undefined;
  }
}

/** The timestamps that the stack under test sends, between script and wire. */
export class TimestampMap {
  #origin: { readonly script: number; readonly live: number } | undefined;
  readonly #liveByScript = new Map<number, number>();

  /** A script line with TSval `script` met a packet with TSval `live`. */
  learn(script: number, live: number): void {
    this.#origin ??= { script, live };
    this.#liveByScript.set(script, live);
  }

  get known(): boolean {
    return this.#origin !== undefined;
  }

  /** A live TSval in the script's count; as it stands while nothing is known. */
  toScript(live: number): number {
    const origin = this.#origin;
    return origin ? (origin.script + (live - origin.live)) >>> 0 : live;
  }

  /**
   * The live TSval that an inbound TSecr echoes.
   * @param scaled count from the first pair instead of looking the value up (--tcp_ts_ecr_scaled).
   * @returns undefined when no outbound line had that TSval.
   */
  toLive(script: number, scaled: boolean): number | undefined {
    const known = this.#liveByScript.get(script);
    if (known !== undefined) return known;
    if (scaled && this.#origin) return (this.#origin.live + (script - this.#origin.script)) >>> 0;
    return script === 0 ? 0 : undefined;
  }
}
