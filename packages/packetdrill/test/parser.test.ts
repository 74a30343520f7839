import { describe, expect, it } from 'vitest';
import type { Action, PacketAction, SyscallAction, TcpBody } from '../src/ast.ts';
import { ParseError, UnsupportedError } from '../src/errors.ts';
import { parseScript } from '../src/parser.ts';

const parse = (source: string, defines: Record<string, string> = {}) =>
  parseScript(source, { file: 'a.pkt', defines: new Map(Object.entries(defines)) });

/** The action of one event, its time in front of it or 0. */
const action = (line: string, defines: Record<string, string> = {}): Action =>
  parse(`0 ${line}`, defines).events[0]!.action;
const tcp = (line: string, defines: Record<string, string> = {}): TcpBody =>
  (action(line, defines) as PacketAction).body as TcpBody;
const syscall = (line: string, defines: Record<string, string> = {}): SyscallAction =>
  action(line, defines) as SyscallAction;

describe('times', () => {
  const times = (source: string) => parse(source).events.map((event) => event.time);

  it('reads absolute, relative, ranges and any', () => {
    expect(times('0 `a` .1 `b` +.1 `c` 0.25 `d` +1 `e` * > . 1:1(0) 1~2.5 > . 1:1(0) +.1~+.2 > . 1:1(0)')).toEqual([
      { kind: 'at', relative: false, us: 0 },
      { kind: 'at', relative: false, us: 100_000 },
      { kind: 'at', relative: true, us: 100_000 },
      { kind: 'at', relative: false, us: 250_000 },
      { kind: 'at', relative: true, us: 1_000_000 },
      { kind: 'any' },
      { kind: 'range', relative: false, us: 1_000_000, endUs: 2_500_000 },
      { kind: 'range', relative: true, us: 100_000, endUs: 200_000 },
    ]);
  });

  it.each(['0.000', '+0', '+0.0', '0', '+.0'])('takes %s as the start', (start) => {
    expect(times(`${start} \`x\``)[0]).toMatchObject({ us: 0 });
  });

  it('reads the blocking form with and without spaces', () => {
    for (const [source, us, end] of [
      ['+.1...0.200 connect(3, ..., ...) = 0', 100_000, 200_000],
      ['+.002 ... 0.004 connect(3, ..., ...) = 0', 2000, 4000],
      ['0...1 read(3, ..., 1) = 1', 0, 1_000_000],
    ] as const) {
      const event = parse(`0 \`x\`\n${source}`).events[1]!;
      expect(event.time).toMatchObject({ us });
      expect(event.action).toMatchObject({ kind: 'syscall', endUs: end });
    }
  });
});

describe('the frame of a script', () => {
  it('tells the first command, an event that is a command, and the last command apart', () => {
    const script = parse(
      '--tolerance_usecs=10000 // comment\n--strict_segments\n`../common/defaults.sh`\n0 `x`\n+0 `y`\n`restore`',
    );
    expect(script.options).toMatchObject([
      { name: 'tolerance_usecs', value: '10000' },
      { name: 'strict_segments', value: undefined },
    ]);
    expect(script.init?.text).toBe('../common/defaults.sh');
    expect(script.events.map((event) => event.action.kind)).toEqual(['command', 'command']);
    expect(script.cleanup?.text).toBe('restore');
  });

  it('takes comments, tabs and line ends for space', () => {
    const script = parse(
      '#!/usr/bin/packetdrill\n// one\n/* two\n * lines */ 0\tsocket(..., SOCK_STREAM,\n  IPPROTO_TCP)\n\t= 3 // end\n\n+0 < S\n0:0(0)\nwin 1000\n<mss 1000,\n nop>',
    );
    expect(script.events.map((event) => event.position.line)).toEqual([4, 8]);
    expect(script.events[1]!.text).toBe('< S 0:0(0) win 1000 <mss 1000, nop>');
  });

  it('keeps the text of code, backslashes and line ends included', () => {
    expect(action('%{ a = 1; \\\n assert a }%')).toMatchObject({ kind: 'code', text: ' a = 1; \\\n assert a ' });
  });

  it('puts definitions in place of words: int, word, string, command, and from the script itself', () => {
    expect(syscall('f(N) = 0', { N: '7' }).args).toEqual([{ kind: 'integer', value: 7 }]);
    expect(syscall('f(N) = 0', { N: 'SOL_IP' }).args).toMatchObject([{ kind: 'word', name: 'SOL_IP' }]);
    expect(syscall('f(N) = 0', { N: '"text"' }).args).toMatchObject([{ kind: 'string', value: 'text' }]);
    expect(action('N', { N: '`true`' })).toMatchObject({ kind: 'command', text: 'true' });
    expect(tcp('< S 0:0(0) win 1 <FO COOKIE>', { COOKIE: '0a0b0c0d' }).options).toEqual([
      { kind: 'FO', cookie: [10, 11, 12, 13] },
    ]);
    expect(parse('--define=N=9\n0 f(N) = 0').events[0]!.action).toMatchObject({
      args: [{ kind: 'integer', value: 9 }],
    });
  });
});

describe('system calls', () => {
  it('reads results, errors and notes in all their forms', () => {
    expect(syscall('f() = -1 EINPROGRESS (Operation now in progress)')).toMatchObject({
      result: { kind: 'integer', value: -1 },
      errno: 'EINPROGRESS',
      note: 'Operation now in progress',
    });
    expect(syscall('f() = -1 EHOSTUNREACH(No route to host)')).toMatchObject({
      errno: 'EHOSTUNREACH',
      note: 'No route to host',
    });
    expect(syscall('f() = -1 (Invalid Argument)')).toMatchObject({ errno: undefined, note: 'Invalid Argument' });
    expect(syscall('f() = -1')).toMatchObject({ result: { value: -1 }, errno: undefined, note: undefined });
    expect(syscall('f() = 0x2 (flags O_RDWR|(x))')).toMatchObject({ result: { value: 2 }, note: 'flags O_RDWR|(x)' });
    expect(syscall('f() = ...').result).toBeUndefined();
  });

  it('reads every kind of argument', () => {
    expect(syscall('f(..., 1, -1, 0xff, WORD, "a" "b", "c"..., A|B|1, X=2, [3], htons(80)) = 0').args).toMatchObject([
      { kind: 'ellipsis' },
      { kind: 'integer', value: 1 },
      { kind: 'integer', value: -1 },
      { kind: 'integer', value: 255 },
      { kind: 'word', name: 'WORD' },
      { kind: 'string', value: 'ab', open: false },
      { kind: 'string', value: 'c', open: true },
      { kind: 'or', terms: [{ name: 'A' }, { name: 'B' }, { value: 1 }] },
      { kind: 'assign', name: 'X', value: { value: 2 } },
      { kind: 'list', items: [{ value: 3 }] },
      { kind: 'call', name: 'htons', args: [{ value: 80 }] },
    ]);
  });

  it('reads the structures, with words that are keywords elsewhere', () => {
    const call = syscall(
      'recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=MSG_EOR|MSG_TRUNC, msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=0}]}, 0) = 1000',
    );
    expect(call.args[1]).toMatchObject({
      kind: 'struct',
      fields: [
        { name: 'msg_name', size: { kind: 'ellipsis' }, value: { kind: 'ellipsis' } },
        {
          name: 'msg_iov',
          size: { value: 1 },
          value: {
            kind: 'list',
            items: [{ kind: 'struct', fields: [{ name: undefined }, { name: undefined, value: { value: 1000 } }] }],
          },
        },
        { name: 'msg_flags', value: { kind: 'or' } },
        { name: 'msg_control' },
      ],
    });
    expect(syscall('poll([{fd=4, events=POLLOUT, revents=0}], 1, 0) = 0').args[0]).toMatchObject({ kind: 'list' });
    expect(
      syscall('epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT|EPOLLET, ptr=4, u32=1, fd=2}) = 0').args,
    ).toHaveLength(4);
    expect(syscall('setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0').args).toHaveLength(5);
    expect(
      syscall('bind(3, {sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr("192.168.0.1")}, ...) = 0')
        .args,
    ).toHaveLength(3);
    expect(syscall('socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3').args[1]).toMatchObject({ kind: 'or' });
  });
});

describe('packets', () => {
  it('reads a SYN with its options in order', () => {
    expect(action('< S 0:0(0) win 32792 <mss 1000,sackOK,TS val 100 ecr 0,nop,wscale 7,eol>')).toEqual({
      kind: 'packet',
      direction: 'inbound',
      ip: { ecn: undefined, tos: undefined, ttl: undefined, flowLabel: undefined },
      ports: undefined,
      body: {
        kind: 'tcp',
        flags: 0x02,
        seq: 0,
        payloadBytes: 0,
        ack: undefined,
        window: 32792,
        urgent: undefined,
        options: [
          { kind: 'mss', value: 1000 },
          { kind: 'sackOK' },
          { kind: 'TS', val: 100, ecr: 0 },
          { kind: 'nop' },
          { kind: 'wscale', value: 7 },
          { kind: 'eol' },
        ],
      },
    });
  });

  it.each([
    ['.', 0x10],
    ['S', 0x02],
    ['S.', 0x12],
    ['F.', 0x11],
    ['FP.', 0x19],
    ['P.', 0x18],
    ['R', 0x04],
    ['R.', 0x14],
    ['SEW', 0xc2],
    ['SEWA', 0x1c2],
    ['SE.', 0x52],
    ['PU.', 0x38],
    ['-', 0],
    ['5.', 0x150],
  ])('reads the flags %s', (flags, bits) => {
    expect(tcp(`> ${flags} 1:1(0)`).flags).toBe(bits);
  });

  it('reads odd spacing, no options, any options and an empty list', () => {
    expect(tcp('> .  1:1(0)').flags).toBe(0x10);
    expect(tcp('< - 1:1001(1000) win 5')).toMatchObject({ flags: 0, ack: undefined, payloadBytes: 1000 });
    expect(tcp('> . 1:1(0) ack 1').options).toEqual([]);
    expect(tcp('> . 1:1(0) ack 1 <...>').options).toBe('any');
    expect(tcp('> . 1:1(0) ack 1 <>').options).toEqual([]);
    expect(tcp('> . 4294967295:99(100) ack 1')).toMatchObject({ seq: 0xffffffff, payloadBytes: 100 });
    expect(tcp('< PU. 1:2(1) ack 1 win 9 urg 1')).toMatchObject({ urgent: 1 });
  });

  it('reads SACK blocks, cookies, digests and AccECN counters', () => {
    expect(tcp('> . 1:1(0) ack 1 <nop, nop, sack 2001:3001 4001:5001>').options).toEqual([
      { kind: 'nop' },
      { kind: 'nop' },
      {
        kind: 'sack',
        blocks: [
          { left: 2001, right: 3001 },
          { left: 4001, right: 5001 },
        ],
      },
    ]);
    expect(tcp('< S 0:0(0) win 1 <mss 1460,nop,nop,FO>').options).toContainEqual({ kind: 'FO', cookie: [] });
    expect(tcp('< S 0:0(0) win 1 <nop, FOEXP>').options).toContainEqual({ kind: 'FOEXP', cookie: [] });
    expect(tcp('< S 0:0(0) win 1 <FO 1e5f>').options).toEqual([{ kind: 'FO', cookie: [0x1e, 0x5f] }]);
    expect(tcp('< S 0:0(0) win 1 <FO abcdef0123456789,nop,nop>').options).toContainEqual({
      kind: 'FO',
      cookie: [0xab, 0xcd, 0xef, 1, 0x23, 0x45, 0x67, 0x89],
    });
    expect(tcp('< . 1:1(0) win 1 <md5 000102030405060708090a0b0c0d0e0f>').options).toHaveLength(1);
    expect(tcp('> . 1:1(0) <ECN e0b 1 ceb 2 e1b 3>').options).toMatchObject([
      { kind: 'ECN', counters: [{ name: 'e0b' }, { name: 'ceb' }, { name: 'e1b' }] },
    ]);
  });

  it('reads what stands in front of the flags', () => {
    expect(action('> [ect0] . 1:1(0)')).toMatchObject({ ip: { ecn: 'ect0' } });
    expect(action('> [ce] 8080 > 33 . 1:1(0)')).toMatchObject({
      ip: { ecn: 'ce' },
      ports: { source: 8080, destination: 33 },
    });
    expect(action('> (tos 0x12, ttl 3) . 1:1(0)')).toMatchObject({ ip: { tos: 0x12, ttl: 3 } });
    expect(action('> [noecn] (flowlabel 0x1) . 1:1(0)')).toMatchObject({ ip: { ecn: 'noecn', flowLabel: 1 } });
    expect(action('< 1 > 2 S 0:0(0) win 3')).toMatchObject({ ports: { source: 1, destination: 2 } });
  });

  it('reads ICMP and UDP', () => {
    expect(action('< icmp unreachable frag_needed mtu 1400 [1:1461(1460)]')).toMatchObject({
      body: { kind: 'icmp', type: 3, code: 4, mtu: 1400, quoted: { kind: 'tcp', seq: 1, payloadBytes: 1460 } },
    });
    expect(action('< icmp unreachable host_unreachable')).toMatchObject({
      body: { type: 3, code: 1, quoted: undefined },
    });
    expect(action('< icmp unreachable port_unreachable [udp (100)]')).toMatchObject({
      body: { quoted: { kind: 'udp', payloadBytes: 100 } },
    });
    expect(action('> icmp echo_request id 7 [raw (8)]')).toMatchObject({
      body: { type: 8, id: 7, quoted: { kind: 'raw' } },
    });
    expect(action('< icmp 11 code 1')).toMatchObject({ body: { type: 11, code: 1 } });
    expect(action('> udp 1 > 2 (1000)')).toMatchObject({
      body: { kind: 'udp', payloadBytes: 1000 },
      ports: { source: 1, destination: 2 },
    });
    expect(action('< udp (1)')).toMatchObject({ body: { kind: 'udp', payloadBytes: 1 } });
  });
});

describe('errors say where', () => {
  const cases: readonly (readonly [string, number, number, RegExp])[] = [
    ['', 1, 1, /expected an event/],
    ['0 foo', 1, 6, /expected "\("/],
    ['0 socket(1, 2', 1, 14, /expected "," or "\)"/],
    ['0 socket() 3', 1, 12, /expected "="/],
    ['0 < S 0:0(0)', 1, 5, /must have "win"/],
    ['0 < S 0:1(0) win 1', 1, 7, /inconsistent sequence numbers/],
    ['0 < S 0:0(0) win 1 <...>', 1, 3, /must spell out its TCP options/],
    ['0 < S 0:0(0) win 65536', 1, 18, /a window must be in 0..65535/],
    ['0 < Q 0:0(0) win 1', 1, 5, /expected TCP flags/],
    ['0 < SS 0:0(0) win 1', 1, 6, /stands twice/],
    ['0 > . 1:1(0) <mss>', 1, 18, /expected an MSS/],
    ['0 > . 1:1(0) <foo>', 1, 15, /expected a TCP option, found "foo"/],
    ['0 > . 1:1(0) <nop nop>', 1, 19, /expected "," or ">"/],
    ['0 > . 1:1(0) <TS 1>', 1, 18, /"val"/],
    ['0 > . 1:1(0) <FO abc>', 1, 18, /hexadecimal/],
    ['.5 `x`', 1, 1, /first event must be at time 0/],
    ['* > . 1:1(0)', 1, 1, /first event must be at time 0/],
    ['0 `x`\n2 `y`\n1 `z`', 3, 1, /time goes back/],
    ['0 `x`\n+1~2 > . 1:1(0)', 2, 3, /both ends/],
    ['0 `x`\n2~1 > . 1:1(0)', 2, 2, /ends before it begins/],
    ['0 `x`\n1~2 < . 1:1(0) win 1', 2, 1, /outbound packets only/],
    ['0 `x`\n2...1 f() = 0', 2, 2, /returns before it starts/],
    ['0 `x`\n1...2 `y`', 2, 2, /only a system call can block/],
    ['0 `x` `y`\n0 `z`', 2, 1, /the end of the script after the last command/],
    ['0 `x', 1, 3, /not closed/],
    ['0 %{ x', 1, 3, /not closed/],
    ['/* x', 1, 1, /not closed/],
    ['0 f("x) = 0', 1, 5, /not closed/],
    ['0 f() = 0 (note\n+0 `x`', 1, 11, /not closed/],
    ['0 f(§) = 0', 1, 5, /unexpected character/],
    ['0 f(1x) = 0', 1, 5, /malformed number/],
    ['0 < icmp foo', 1, 10, /an ICMP type/],
    ['0 < icmp unreachable foo', 1, 22, /a code of this ICMP type/],
    ['0 < [foo] . 1:1(0) win 1', 1, 6, /noecn, ect0/],
    ['0 < 70000 > 1 . 1:1(0) win 1', 1, 5, /no port/],
    ['--define=x\n0 `x`', 1, 1, /--define=NAME=VALUE/],
    [`0 f(${'['.repeat(100)}`, 1, 37, /nested too deeply/],
  ];

  it.each(cases)('%j', (source, line, column, message) => {
    let error: unknown;
    try {
      parse(source);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(ParseError);
    const { position, message: text } = error as ParseError;
    expect([position.line, position.column, text]).toEqual([line, column, expect.stringMatching(message)]);
    expect(text.startsWith(`a.pkt:${line}:${column}: `)).toBe(true);
  });

  it('calls well-known things that are missing here unsupported, not wrong', () => {
    expect(() => parse('0 < S 0:0(0) win 1 <mp_capable 1>')).toThrow(UnsupportedError);
    expect(() => parse('0 < ipv4 1.1.1.1 > 2.2.2.2: S 0:0(0) win 1')).toThrow(UnsupportedError);
  });
});
