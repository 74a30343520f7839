import type { Position } from './errors.ts';

/** A whole script. Times are integer microseconds throughout. */
export interface Script {
  readonly file: string;
  readonly options: readonly ScriptOption[];
  /** The back-quoted command in front of the first event. */
  readonly init: CommandAction | undefined;
  readonly events: readonly ScriptEvent[];
  /** The back-quoted command after the last event; it runs whatever happened before. */
  readonly cleanup: CommandAction | undefined;
}

/** `--name` or `--name=value` in front of the first event. */
export interface ScriptOption {
  readonly position: Position;
  readonly name: string;
  readonly value: string | undefined;
}

export type EventTime =
  | { readonly kind: 'at'; readonly relative: boolean; readonly us: number }
  /** `a~b`: some time between the two; outbound packets only. */
  | { readonly kind: 'range'; readonly relative: boolean; readonly us: number; readonly endUs: number }
  /** `*`: any time; outbound packets only. */
  | { readonly kind: 'any' };

export interface ScriptEvent {
  readonly position: Position;
  readonly time: EventTime;
  readonly action: Action;
  /** The event as written, white space squeezed. */
  readonly text: string;
}

export type Action = SyscallAction | PacketAction | CodeAction | CommandAction;

export interface CodeAction {
  readonly kind: 'code';
  readonly text: string;
  /** Where the text begins. */
  readonly position: Position;
}

export interface CommandAction {
  readonly kind: 'command';
  readonly text: string;
  readonly position: Position;
}

export interface SyscallAction {
  readonly kind: 'syscall';
  readonly name: string;
  readonly args: readonly Expression[];
  /** `a...b`: the call blocks, and returns at `b` (same base as the event's own time). */
  readonly endUs: number | undefined;
  /** undefined for `= ...` */
  readonly result: Expression | undefined;
  readonly errno: string | undefined;
  readonly note: string | undefined;
}

export type Expression =
  | { readonly kind: 'ellipsis' }
  | { readonly kind: 'integer'; readonly value: number }
  /** `"text"`, `"text"...` (open: more bytes follow). */
  | { readonly kind: 'string'; readonly value: string; readonly open: boolean }
  | { readonly kind: 'word'; readonly name: string; readonly position: Position }
  | { readonly kind: 'or'; readonly terms: readonly Expression[] }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'struct'; readonly fields: readonly Field[] }
  /** `htons(8080)`, `inet_addr("192.0.2.1")` */
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  /** `NAME=value` as an argument. */
  | { readonly kind: 'assign'; readonly name: string; readonly value: Expression };

export interface Field {
  /** undefined for a bare value, as in `{..., 1000}`. */
  readonly name: string | undefined;
  /** What stands in parentheses after the name: `msg_iov(1)=...`. */
  readonly size: Expression | undefined;
  readonly value: Expression;
}

export type Direction = 'inbound' | 'outbound';

export type EcnMark = 'noecn' | 'ect0' | 'ect1' | 'ect01' | 'ce';

export interface IpInfo {
  readonly ecn: EcnMark | undefined;
  readonly tos: number | undefined;
  readonly ttl: number | undefined;
  readonly flowLabel: number | undefined;
}

export interface PacketAction {
  readonly kind: 'packet';
  readonly direction: Direction;
  readonly ip: IpInfo;
  readonly ports: { readonly source: number; readonly destination: number } | undefined;
  readonly body: TcpBody | UdpBody | IcmpBody;
}

/** The nine flag bits of TCP's header as in the wire's 12 bits: FIN 0x001 ... CWR 0x080, AE 0x100. */
export const TCP_FLAG = {
  FIN: 0x001,
  SYN: 0x002,
  RST: 0x004,
  PSH: 0x008,
  ACK: 0x010,
  URG: 0x020,
  ECE: 0x040,
  CWR: 0x080,
  AE: 0x100,
} as const;

export interface TcpBody {
  readonly kind: 'tcp';
  readonly flags: number;
  /** Script sequence numbers, uint32. */
  readonly seq: number;
  readonly payloadBytes: number;
  readonly ack: number | undefined;
  readonly window: number | undefined;
  readonly urgent: number | undefined;
  /** `any` for `<...>`; no list is no option at all. */
  readonly options: readonly TcpOption[] | 'any';
}

export type TcpOption =
  | { readonly kind: 'mss'; readonly value: number }
  | { readonly kind: 'wscale'; readonly value: number }
  | { readonly kind: 'sackOK' }
  | { readonly kind: 'sack'; readonly blocks: readonly { readonly left: number; readonly right: number }[] }
  | { readonly kind: 'TS'; readonly val: number; readonly ecr: number }
  | { readonly kind: 'nop' }
  | { readonly kind: 'eol' }
  | { readonly kind: 'FO' | 'FOEXP'; readonly cookie: readonly number[] }
  | { readonly kind: 'md5'; readonly digest: readonly number[] }
  /** AccECN (0xac/0xae order): counters of 24 bits in the order written. */
  | {
      readonly kind: 'ECN';
      readonly counters: readonly { readonly name: 'e0b' | 'e1b' | 'ceb'; readonly value: number }[];
    };

export interface UdpBody {
  readonly kind: 'udp';
  readonly payloadBytes: number;
}

export interface IcmpBody {
  readonly kind: 'icmp';
  readonly type: number;
  readonly code: number;
  readonly mtu: number | undefined;
  readonly id: number | undefined;
  /** The packet that the error quotes; without one, the start of the connection. */
  readonly quoted:
    | { readonly kind: 'tcp'; readonly seq: number; readonly payloadBytes: number }
    | { readonly kind: 'udp' | 'raw'; readonly payloadBytes: number }
    | undefined;
}
