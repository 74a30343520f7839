import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodeError } from '../src/code/ast.ts';
import { AssertionFailure, runCode } from '../src/code/evaluate.ts';
import { parseCode } from '../src/code/parser.ts';
import { ParseError, UnsupportedError } from '../src/errors.ts';
import { parseScript } from '../src/parser.ts';

const SAMPLE = `--tolerance_usecs=5000
\`../common/defaults.sh\`
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3 // comment
+0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0
+.1~+.2 > [ect0] S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>
+.1 < . 1:1001(1000) ack 1 win 257 <nop,nop,sack 1:2 3:4,FO 0a0b>
+.1...0.200 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
0.5 %{ assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd }%
* > icmp unreachable frag_needed mtu 1400 [1:1461(1460)]
+0 recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=A|B}, 0) = 1000
\`cleanup\``;
const PIECES = SAMPLE.match(/\w+|\s+|[^\w\s]/g) ?? [];
const CODE = `x = 1\nif x > 2:\n  assert x, 'a %d' % (x + 1)\nelse:\n  print("b", -x ** 2 // 3 & ~0x1f)\nassert 1 <= x < 3 and not 4 in (4, 5), "z"`;
const CODE_PIECES = CODE.match(/\w+|\s+|[^\w\s]/g) ?? [];

function mutated(pieces: readonly string[]): fc.Arbitrary<string> {
  const edit = fc.record({
    at: fc.nat(pieces.length - 1),
    drop: fc.nat(3),
    insert: fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 3 })), { maxLength: 3 }),
  });
  return fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) => {
    const copy = [...pieces];
    for (const { at, drop, insert } of edits) copy.splice(at, drop, ...insert);
    return copy.join('');
  });
}

describe('hostile text', () => {
  const parses = (source: string) => {
    try {
      parseScript(source);
    } catch (error) {
      if (error instanceof ParseError) expect(error.position.line).toBeGreaterThan(0);
      else expect(error).toBeInstanceOf(UnsupportedError);
    }
  };
  const runs = (source: string) => {
    try {
      runCode(parseCode(source), { variables: new Map(), lookup: () => undefined, print: () => undefined });
    } catch (error) {
      expect([CodeError, AssertionFailure, UnsupportedError].some((kind) => error instanceof kind)).toBe(true);
    }
  };

  it('reads the untouched samples', () => {
    expect(parseScript(SAMPLE).events).toHaveLength(8);
    expect(() => runs(CODE)).not.toThrow();
  });

  it('a mutated script parses or gives a ParseError, nothing else', () => {
    fc.assert(fc.property(mutated(PIECES), parses), { numRuns: 500 });
  });

  it('any text parses or gives a ParseError', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 60 }).map((text) => `0 ${text}`),
        parses,
      ),
      { numRuns: 300 },
    );
  });

  it('every prefix of a script ends in a script or a ParseError', () => {
    for (let i = 0; i <= SAMPLE.length; i++) parses(SAMPLE.slice(0, i));
  });

  it('a mutated snippet runs or gives a CodeError', () => {
    fc.assert(fc.property(mutated(CODE_PIECES), runs), { numRuns: 500 });
  });

  it('long and deep input ends soon', () => {
    for (const unit of ['(', '[', '{', '-', '0 f(', '/*', '%{', '`', '< ', '> . 1:1(0)', '|a'])
      parses(`0 f(${unit.repeat(20_000)}`);
    for (const unit of ['(', '-', 'not ', 'x if ', 'x + ', '[', 'if x:\n', 'if x: ', '1 ** '])
      runs(unit.repeat(20_000));
  });
});
