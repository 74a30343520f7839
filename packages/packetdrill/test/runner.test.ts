import { describe, expect, it } from 'vitest';
import { runScript } from '../src/run/run-script.ts';

const SERVER = `\`../common/defaults.sh\`
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+.1 < S 0:0(0) win 65535 <mss 1000,sackOK,nop,nop>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>
+.1 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
`;
const run = (lines: string, options = {}) => runScript('x.pkt', lines, options);
const serve = (lines: string, options = {}) => run(SERVER + lines, options);
const FIRST = SERVER.split('\n').length;

describe('time', () => {
  it('takes a packet within the tolerance of 4 ms and not beyond it', () => {
    const write = '+0 write(4, ..., 10) = 10\n';
    expect(serve(`${write}+.004 > P. 1:11(10) ack 1`).status).toBe('ok');
    const late = serve(`${write}+.006 > P. 1:11(10) ack 1`);
    expect(late).toMatchObject({ status: 'FAIL', line: FIRST + 1, reason: 'the packet came 0.006000 s too early' });
    expect(serve(`${write}+.006 > P. 1:11(10) ack 1`, { toleranceUs: 6000 }).status).toBe('ok');
    expect(run(`--tolerance_usecs=6000\n${SERVER}${write}+.006 > P. 1:11(10) ack 1`).status).toBe('ok');
  });

  it('tolerates an eighth of the time since the previous event', () => {
    const lines = (seconds: string) =>
      `+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n+${seconds} > P. 1:11(10) ack 1`;
    expect(serve(lines('.34')).status).toBe('ok');
    expect(serve(lines('.36')).status).toBe('FAIL');
  });

  it('counts relative times from the actual time of the packet before', () => {
    expect(
      serve(
        '+0 write(4, ..., 10) = 10\n+.003 > P. 1:11(10) ack 1\n+0 %{ print(1) }%\n+.05 < . 1:1(0) ack 11 win 9\n+0 %{ assert tcpi_rtt < 100000 }%',
      ),
    ).toMatchObject({ status: 'ok', output: ['1'] });
  });

  it('takes ranges and any time', () => {
    const write = '+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n';
    expect(serve(`${write}+.2~+.4 > P. 1:11(10) ack 1`).status).toBe('ok');
    expect(serve(`${write}+.35~+.4 > P. 1:11(10) ack 1`).status).toBe('FAIL');
    expect(serve(`${write}* > P. 1:11(10) ack 1`).status).toBe('ok');
  });

  it('keeps absolute times', () => {
    expect(serve('0.5 write(4, ..., 10) = 10\n0.5 > P. 1:11(10) ack 1\n0.8 > P. 1:11(10) ack 1').status).toBe('ok');
    expect(serve('+.4 write(4, ..., 10) = 10\n0.5 > P. 1:11(10) ack 1')).toMatchObject({
      status: 'FAIL',
      line: FIRST + 1,
    });
  });

  it('waits two seconds for a packet that does not come', () => {
    expect(serve('+0 > P. 1:11(10) ack 1')).toMatchObject({
      status: 'FAIL',
      line: FIRST,
      reason: 'the packet did not come',
      actual: 'none until 2.200000 s',
    });
  });
});

describe('packets', () => {
  it('never minds packets that no line asks for at the end, but the next line meets them first', () => {
    expect(serve('+0 write(4, ..., 10) = 10').status).toBe('ok');
    expect(serve('+0 write(4, ..., 10) = 10\n+.1 < . 1:11(10) ack 1 win 9\n+0 > . 11:11(0) ack 11')).toMatchObject({
      status: 'FAIL',
      line: FIRST + 2,
    });
  });

  it('joins segments to one line, unless --strict_segments', () => {
    const lines = '+0 write(4, ..., 2500) = 2500\n+0 > P. 1:2501(2500) ack 1';
    expect(serve(lines).status).toBe('ok');
    expect(run(`--strict_segments\n${SERVER}${lines}`)).toMatchObject({
      status: 'FAIL',
      reason: expect.stringMatching(/payload length: expected 2500, got 1000/),
    });
  });

  it('looks at the socket made last only', () => {
    const lines = `+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 5
+0 fcntl(5, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 write(4, ..., 10) = 10
+0 connect(5, ..., ...) = -1 EINPROGRESS
+0 > S 0:0(0) <...>`;
    expect(serve(lines).status).toBe('ok');
  });

  it('says which timestamp cannot be echoed', () => {
    expect(serve('+0 < . 1:1(0) ack 1 win 9 <nop,nop,TS val 1 ecr 7>')).toMatchObject({
      status: 'FAIL',
      line: FIRST,
      reason: expect.stringMatching(/timestamp 7/),
    });
  });

  it('reports PSH where it is let pass, and fails on it with --psh linux', () => {
    const lines = '+0 write(4, ..., 10) = 10\n+0 > . 1:11(10) ack 1';
    expect(serve(lines)).toMatchObject({ status: 'ok', pshDiffers: [FIRST + 1] });
    expect(serve(lines, { psh: 'linux' })).toMatchObject({
      status: 'FAIL',
      line: FIRST + 1,
      reason: expect.stringMatching(/flags/),
    });
  });
});

describe('system calls', () => {
  it('compares results and errors', () => {
    expect(serve('+0 write(4, ..., 10) = 11')).toMatchObject({
      status: 'FAIL',
      line: FIRST,
      reason: 'write: expected 11, got 10',
      actual: '10',
    });
    expect(serve('+0 listen(4, 1) = 0')).toMatchObject({ status: 'FAIL', reason: 'listen: expected 0, got -1 EINVAL' });
    expect(serve('+0 listen(4, 1) = -1 EPIPE').reason).toBe('listen: expected -1 EPIPE, got -1 EINVAL');
    expect(serve('+0 listen(4, 1) = -1').status).toBe('ok');
    expect(serve('+0 close(99) = -1 EBADF').status).toBe('ok');
  });

  it('a call in the blocking form returns when its line says', () => {
    const packet = '+.1 < P. 1:11(10) ack 1 win 9\n+0 > . 1:1(0) ack 11\n';
    expect(serve(`+0...0.1 read(4, ..., 10) = 10\n${packet}`).status).toBe('ok');
    expect(serve(`+0...0.2 read(4, ..., 10) = 10\n${packet}`)).toMatchObject({
      status: 'FAIL',
      line: FIRST,
      reason: 'the return of read() came 0.100000 s too early',
    });
    expect(serve('+0...0.2 read(4, ..., 10) = 10')).toMatchObject({
      status: 'FAIL',
      line: FIRST,
      reason: 'read() did not return',
    });
    expect(serve('+0...0.2 read(4, ..., 10) = 10\n+0 write(4, ..., 1) = 1')).toMatchObject({
      status: 'FAIL',
      line: FIRST,
    });
  });

  it('a call that blocks without that form waits on virtual time, up to a cap', () => {
    expect(
      serve('+0 poll([{fd=4, events=POLLIN, revents=0}], 1, 500) = 0\n0.7 write(4, ..., 1) = 1\n0.7 > P. 1:2(1) ack 1')
        .status,
    ).toBe('ok');
    expect(serve('+0 read(4, ..., 10) = 10')).toMatchObject({
      status: 'FAIL',
      reason: 'read() blocks and does not return',
    });
  });

  it('maps descriptors and refuses to use one twice', () => {
    expect(serve('+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4')).toMatchObject({
      status: 'FAIL',
      reason: 'the descriptor 4 is in use already',
    });
    expect(serve('+0 close(4) = 0\n+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4').status).toBe('ok');
    expect(serve('+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 77').status).toBe('ok');
  });

  it('says what is wrong with arguments', () => {
    expect(serve('+0 write(4, ...) = 1')).toMatchObject({
      status: 'FAIL',
      line: FIRST,
      reason: 'an argument is missing',
    });
  });
});

describe('code', () => {
  it('names the assertion, its line and the values', () => {
    const result = serve('+0 %{\nx = 1\nassert tcpi_snd_cwnd == 11, "cwnd %d" % tcpi_snd_cwnd\n}%');
    expect(result).toMatchObject({
      status: 'FAIL',
      line: FIRST + 2,
      reason: 'the assertion does not hold: cwnd 10',
      expected: 'assert tcpi_snd_cwnd == 11, "cwnd %d" % tcpi_snd_cwnd',
      actual: 'tcpi_snd_cwnd = 10',
    });
  });

  it('gives syntax errors of snippets their place in the script', () => {
    expect(run('0 `true`\n+0 %{ x = 1\n  y = = 2 }%')).toMatchObject({ status: 'FAIL', line: 3, column: 7 });
    expect(run('0 `true`\n+0 %{ x = = 1 }%')).toMatchObject({ status: 'FAIL', line: 2, column: 11 });
  });
});

describe('what is not supported is skipped', () => {
  it.each([
    ['--ip_version=ipv6\n0 `true`', /IP version ipv6/],
    ['--frobnicate=1\n0 `true`', /--frobnicate/],
    ['0 `frobnicate`', /`frobnicate` is not known/],
    ['0 socket(..., SOCK_RAW, 99) = 3', /sockets of type 3/],
    ['0 frobnicate(1) = 0', /frobnicate\(\) is not supported/],
    ['0 socket(..., SOCK_FROB, 0) = 3', /SOCK_FROB/],
    ['0 %{ import os }%', /import/],
    [`${SERVER}+0 setsockopt(4, SOL_TCP, TCP_MD5SIG, [1], 4) = 0`, /TCP_MD5SIG/],
    [`${SERVER}+0 %{ assert tcpi_frobs == 1 }%`, /tcpi_frobs/],
    ['`sysctl -q net.ipv4.tcp_frob=1`\n0 `true`', /ipv4.tcp_frob/],
    ['0 < S 0:0(0) win 1 <dss 1>', /dss/],
  ])('%s', (source, reason) => {
    expect(run(source)).toMatchObject({ status: 'skipped', reason: expect.stringMatching(reason) });
  });

  it('a syntax error is a failure with its place', () => {
    expect(run('0 socket(..., SOCK_STREAM')).toMatchObject({ status: 'FAIL', line: 1, column: 26 });
  });
});

describe('repeatable', () => {
  it('the same script and seed give the same result, another seed another ISN but the same verdict', () => {
    const lines = '+0 write(4, ..., 3000) = 3000\n+0 > P. 1:3001(3000) ack 1\n+.3 > P. 2001:3001(1000) ack 1';
    expect(serve(lines)).toEqual(serve(lines));
    for (let seed = 1; seed < 20; seed++) expect(serve(lines, { seed }).status).toBe(serve(lines).status);
  });
});
