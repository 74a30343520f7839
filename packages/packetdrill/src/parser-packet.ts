import { type EcnMark, type IcmpBody, type IpInfo, type PacketAction, TCP_FLAG, type TcpBody } from './ast.ts';
import { UnsupportedError } from './errors.ts';
import { icmpCodeByName, icmpTypeByName } from './icmp-names.ts';
import type { Token } from './lexer.ts';
import { ExpressionParser } from './parser-expression.ts';
import { parseTcpOptions } from './parser-tcp-options.ts';

const PORTS = /\d+\s*>\s*\d+/y;
const FLAGS = /[FSRPEWAU.0-7-]+/y;
const FLAG_LETTERS: Readonly<Record<string, number>> = {
  F: TCP_FLAG.FIN,
  S: TCP_FLAG.SYN,
  R: TCP_FLAG.RST,
  P: TCP_FLAG.PSH,
  '.': TCP_FLAG.ACK,
  U: TCP_FLAG.URG,
  E: TCP_FLAG.ECE,
  W: TCP_FLAG.CWR,
  A: TCP_FLAG.AE,
};
const MARKS: readonly string[] = ['noecn', 'ect0', 'ect1', 'ect01', 'ce'];
const ENCAPSULATIONS: readonly string[] = ['ipv4', 'ipv6', 'gre', 'mpls'];
/** The largest payload of a line: an aggregate of outbound segments may be larger than a packet. */
const MAX_PAYLOAD_BYTES = 0x4000_0000;

/** The line of a packet, from `<` or `>` on. */
export class PacketParser extends ExpressionParser {
  protected packet(): PacketAction {
    const arrow = this.lexer.next();
    const direction = arrow.text === '<' ? 'inbound' : 'outbound';
    const ip = this.#ipInfo();
    if (this.atWord(...ENCAPSULATIONS)) {
      throw new UnsupportedError(`encapsulation (${this.lexer.peek().text}) is not supported`);
    }
    if (this.acceptWord('icmp')) return { kind: 'packet', direction, ip, ports: undefined, body: this.#icmp() };
    const isUdp = this.acceptWord('udp');
    const ports = this.#ports();
    if (isUdp) return { kind: 'packet', direction, ip, ports, body: { kind: 'udp', payloadBytes: this.#length() } };
    const body = this.#tcp(direction === 'inbound');
    if (direction === 'inbound' && body.options === 'any') {
      throw this.lexer.error(arrow.start, 'an inbound packet must spell out its TCP options: "<...>" is for outbound');
    }
    return { kind: 'packet', direction, ip, ports, body };
  }

  /** `[ect0]`, `(tos 0x12, ttl 3)`, ...: none, one, or several. */
  #ipInfo(): IpInfo {
    let ecn: EcnMark | undefined;
    let tos: number | undefined;
    let ttl: number | undefined;
    let flowLabel: number | undefined;
    while (this.at('[') || this.at('(')) {
      const close = this.lexer.next().text === '[' ? ']' : ')';
      do {
        const word = this.lexer.next();
        if (word.kind === 'word' && MARKS.includes(word.text)) ecn = word.text as EcnMark;
        else if (word.text === 'ecn') continue;
        else if (word.text === 'tos') tos = this.integerIn('a type of service', 0, 0xff);
        else if (word.text === 'ttl' || word.text === 'hlim') ttl = this.integerIn('a time to live', 0, 255);
        else if (word.text === 'flowlabel') flowLabel = this.integerIn('a flow label', 0, 0xfffff);
        else this.fail(word, 'noecn, ect0, ect1, ect01, ce, tos, ttl or flowlabel');
        this.accept(',');
      } while (!this.at(close) && this.lexer.peek().kind === 'word');
      this.expect(close);
    }
    return { ecn, tos, ttl, flowLabel };
  }

  #ports(): PacketAction['ports'] {
    const raw = this.lexer.raw(PORTS);
    if (raw === undefined) return undefined;
    const [source = 0, destination = 0] = raw.split('>').map((part) => Number(part));
    for (const port of [source, destination]) {
      if (port > 0xffff) throw this.lexer.error(this.lexer.offset - raw.length, `${port} is no port: 0..65535`);
    }
    return { source, destination };
  }

  #tcp(inbound: boolean): TcpBody {
    const flagsAt = this.lexer.skipSpace();
    const flags = this.#flags();
    const { seq, payloadBytes } = this.#range();
    let ack: number | undefined;
    let window: number | undefined;
    let urgent: number | undefined;
    for (;;) {
      if (ack === undefined && this.acceptWord('ack'))
        ack = this.integerIn('an acknowledgment number', -1, 0xffffffff) >>> 0;
      else if (window === undefined && this.acceptWord('win')) window = this.integerIn('a window', 0, 0xffff);
      else if (urgent === undefined && this.acceptWord('urg')) urgent = this.integerIn('an urgent pointer', 0, 0xffff);
      else break;
    }
    if (inbound && window === undefined) throw this.lexer.error(flagsAt, 'an inbound TCP packet must have "win"');
    const options = this.at('<') ? parseTcpOptions(this.lexer) : [];
    return { kind: 'tcp', flags, seq, payloadBytes, ack, window, urgent, options };
  }

  #flags(): number {
    const raw = this.lexer.raw(FLAGS);
    if (raw === undefined) this.fail(this.lexer.peek(), 'TCP flags, icmp or udp');
    const start = this.lexer.offset - raw.length;
    if (raw === '-') return 0;
    let flags = 0;
    for (let i = 0; i < raw.length; i++) {
      const c = raw[i]!;
      const digit = c >= '0' && c <= '7';
      // AccECN writes its three-bit counter (AE, CWR, ECE) as a digit.
      const bits = digit ? Number(c) << 6 : FLAG_LETTERS[c];
      if (bits === undefined) throw this.lexer.error(start + i, `"${c}" is no TCP flag`);
      if (!digit && (flags & bits) !== 0) throw this.lexer.error(start + i, `the flag "${c}" stands twice`);
      flags |= bits;
    }
    return flags;
  }

  /** `a:b(n)` with b = a + n. */
  #range(): { seq: number; payloadBytes: number } {
    const first = this.lexer.peek();
    const seq = this.#sequence();
    this.expect(':');
    const end = this.#sequence();
    const payloadBytes = this.#length();
    if ((seq + payloadBytes) >>> 0 !== end) {
      throw this.lexer.error(first.start, `inconsistent sequence numbers: ${seq} + ${payloadBytes} is not ${end}`);
    }
    return { seq, payloadBytes };
  }

  #sequence(): number {
    return this.integerIn('a sequence number', -0x80000000, 0xffffffff) >>> 0;
  }

  #length(): number {
    this.expect('(');
    const length = this.integerIn('a payload length', 0, MAX_PAYLOAD_BYTES);
    this.expect(')');
    return length;
  }

  #icmp(): IcmpBody {
    const typeToken = this.lexer.next();
    const type = this.#icmpNumber(typeToken, 'an ICMP type', icmpTypeByName(typeToken.text));
    let code = 0;
    const next = this.lexer.peek();
    const isCode = next.kind === 'word' ? icmpCodeByName(type, next.text) !== undefined : false;
    if (isCode) {
      code = icmpCodeByName(type, this.lexer.next().text) ?? 0;
    } else if (next.kind === 'word' && this.acceptWord('code')) {
      const token = this.lexer.next();
      code = this.#icmpNumber(token, 'an ICMP code', undefined);
    } else if (next.kind === 'word' && next.text !== 'mtu' && next.text !== 'id') {
      this.#rejectCode(next);
    }
    let mtu: number | undefined;
    let id: number | undefined;
    for (;;) {
      if (mtu === undefined && this.acceptWord('mtu')) mtu = this.integerIn('an MTU', 0, 0xffff);
      else if (id === undefined && this.acceptWord('id')) id = this.integerIn('an identifier', 0, 0xffff);
      else break;
    }
    return { kind: 'icmp', type, code, mtu, id, quoted: this.#quoted() };
  }

  #rejectCode(token: Token): void {
    // A word behind the type that begins no event (an event begins with a time) can only be meant as a code.
    this.fail(token, 'a code of this ICMP type, "mtu", "id" or "["');
  }

  #icmpNumber(token: Token, what: string, named: number | undefined): number {
    if (token.kind === 'integer' && token.value <= 255) return token.value;
    if (token.kind === 'word' && token.text === 'type') return this.integerIn(what, 0, 255);
    if (named === undefined) this.fail(token, what);
    return named;
  }

  #quoted(): IcmpBody['quoted'] {
    if (!this.accept('[')) return undefined;
    let quoted: IcmpBody['quoted'];
    if (this.atWord('udp', 'raw')) {
      const kind = this.lexer.next().text === 'udp' ? 'udp' : 'raw';
      quoted = { kind, payloadBytes: this.#length() };
    } else {
      quoted = { kind: 'tcp', ...this.#range() };
    }
    this.expect(']');
    return quoted;
  }
}
