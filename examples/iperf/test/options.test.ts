import { describe, expect, it } from 'vitest';
import { type IperfOptions, parseOptions } from '../src/options.ts';
import { planStreams } from '../src/protocol.ts';
import { UsageError } from '../src/usage-error.ts';

const DEFAULTS: IperfOptions = {
  serverIp: '192.168.8.101',
  clientIp: '192.168.8.102',
  port: 5001,
  seconds: 10,
  bytes: 0,
  parallel: 1,
  interval: 1,
  direction: 'forward',
  length: 131_072,
  window: 0,
  mss: 0,
  congestion: 'cubic',
  noDelay: false,
  json: false,
  verbose: false,
  mtu: 1500,
  txqueuelen: 1000,
  delayUs: 0,
  loss: 0,
  rate: 0,
  seed: 1,
  machine: 'threads',
  affinity: undefined,
  checksumOffload: true,
  gso: true,
  gro: true,
  send: 'lend',
  queues: 1,
  verify: false,
  audit: false,
  flowLog: undefined,
  live: undefined,
  pcap: undefined,
};

describe('options that are understood', () => {
  it.each<[string, Partial<IperfOptions>]>([
    ['', {}],
    ['-t 3', { seconds: 3 }],
    ['--time=0.5', { seconds: 0.5 }],
    ['-t 0', { seconds: 0 }],
    ['-n 10G', { bytes: 10 * 2 ** 30 }],
    ['--bytes 1.5K', { bytes: 1536 }],
    ['-P 8', { parallel: 8 }],
    ['-P8', { parallel: 8 }],
    ['-i 0.1', { interval: 0.1 }],
    ['-i 0', { interval: 0 }],
    ['-R', { direction: 'reverse' }],
    ['--bidir', { direction: 'bidirectional' }],
    ['-l 64K', { length: 65_536 }],
    ['-w 4M', { window: 4 * 2 ** 20 }],
    ['-M 1000', { mss: 1000 }],
    ['-C newreno', { congestion: 'newreno' }],
    ['--congestion reno', { congestion: 'newreno' }],
    ['-C bbr', { congestion: 'bbr' }],
    ['-N', { noDelay: true }],
    ['--no-delay --delay 10', { noDelay: true, delayUs: 10_000 }],
    ['--delay 250us', { delayUs: 250 }],
    ['-J', { json: true }],
    ['--json -V', { json: true, verbose: true }],
    ['--mtu 9000', { mtu: 9000 }],
    ['--mtu 9000 -M 8960', { mtu: 9000, mss: 8960 }],
    ['--txqueuelen 32', { txqueuelen: 32 }],
    ['--loss 0.5', { loss: 0.005 }],
    ['--loss 1%', { loss: 0.01 }],
    ['--rate 100M', { rate: 1e8 }],
    ['--seed 4294967295', { seed: 4_294_967_295 }],
    ['--machine virtual', { machine: 'virtual' }],
    ['--machine cooperative', { machine: 'cooperative' }],
    ['-A 1,0,12', { affinity: { dom0: 1, server: 0, client: 12 } }],
    ['--no-gso', { gso: false }],
    ['--no-gro', { gro: false }],
    ['--queues 4', { queues: 4 }],
    ['--no-csum-offload', { checksumOffload: false, gso: false }],
    ['--no-offload', { checksumOffload: false, gso: false }],
    ['--verify --audit', { verify: true, audit: true }],
    ['--flow-log run.log', { flowLog: 'run.log' }],
    ['--live', { live: 0 }],
    ['--live 8080 --flow-log run.qflow', { live: 8080, flowLog: 'run.qflow' }],
    ['--pcap run.pcapng', { pcap: 'run.pcapng' }],
    ['-p 1', { port: 1 }],
    ['--port 65535', { port: 65_535 }],
    ['--server-ip 10.0.0.1 --client-ip 10.0.0.2', { serverIp: '10.0.0.1', clientIp: '10.0.0.2' }],
  ])('%s', (line, expected) => {
    expect(parseOptions(line.split(' ').filter(Boolean))).toEqual({ ...DEFAULTS, ...expected });
  });

  it.each(['-h', '--help'])('%s gives a text', (flag) => {
    const answer = parseOptions([flag]);
    expect('text' in answer && answer.text).toMatch(/Usage: iperf/);
  });

  it('--version gives a number', () => {
    expect(parseOptions(['--version'])).toEqual({ text: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });
});

describe('options that are refused: one line, with what is wrong and how to mend it', () => {
  it.each<[string, RegExp]>([
    ['--frobnicate', /unknown option '--frobnicate'.*--help/],
    ['--tim 3', /unknown option '--tim'.*--time/],
    ['extra', /'extra'.*--help/],
    ['-c 192.168.8.101', /^-c is not needed.*--server-ip/],
    ['-s', /^-s is not needed/],
    ...['auto', '0', '0,1', '0,1,', '0,1,2,3', '0,0,-1', '0,0,0.5'].map((list): [string, RegExp] => [
      `--affinity=${list}`,
      /--affinity '.*' is not understood: give CPUs/,
    ]),
    ['--machine virtual -A 0,0,1', /--affinity is for threads/],
    ['-p', /--port.*argument missing/],
    ['-p 0', /--port 0 is out of range: give .*1\.\.65535/],
    ['-p 65536', /--port 65536 is out of range: give .*1\.\.65535/],
    ['-p http', /--port 'http' is not understood: give .*1\.\.65535/],
    ['-p 80.5', /--port '80.5' is not understood/],
    ['-t -1', /--time '-1' is not understood/],
    ['-t 86401', /--time 86401 is out of range: give 0\.\.86400/],
    ['-t 1 -n 1', /exclude each other/],
    ['-n 0', /--bytes 0 is out of range/],
    ['-n many', /--bytes 'many' is not understood/],
    ['--queues 0', /--queues 0 is out of range: give a whole number in 1\.\.8/],
    ['--queues 9', /--queues 9 is out of range/],
    ['--queues two', /--queues 'two' is not understood: give a whole number in 1\.\.8/],
    ['-P 0', /--parallel 0 is out of range: give .*1\.\.128/],
    ['-P 129', /--parallel 129 is out of range/],
    ['-i 0.05', /--interval 0\.05 is out of range: give 0\.1\.\.60/],
    ['-i 61', /--interval 61 is out of range/],
    ['-R --bidir', /exclude each other/],
    ['-l 2M', /--length 2M is out of range/],
    ['-w 17M', /--window 17M is out of range/],
    ['-M 1461', /--set-mss 1461 is out of range: give .*48\.\.1460 at MTU 1500/],
    ['-C bbr9', /--congestion 'bbr9' is unknown: give cubic, newreno, reno, bbr/],
    ['--mtu 100', /--mtu 100 is out of range/],
    ['--mtu 70000', /--mtu 70000 is out of range/],
    ['--txqueuelen 0', /--txqueuelen 0 is out of range/],
    ['--delay soon', /--delay 'soon' is not understood: give .*10ms/],
    ['--delay 2000s', /--delay 2000s is out of range/],
    ['--loss 101', /--loss 101 is out of range: give a percentage/],
    ['--loss -1', /--loss '-1' is not understood/],
    ['--rate 10', /--rate 10 is out of range/],
    ['--seed 4294967296', /--seed 4294967296 is out of range/],
    ['--machine quantum', /--machine 'quantum' is unknown: give threads, cooperative, virtual/],
    ['--machine virtual -t 0', /never end/],
    ['--flow-log run.qlog', /run\.qlog.*\.qflow.*\.log/],
    ['--server-ip 300.1.1.1', /'300\.1\.1\.1' is not an IPv4 address/],
    ['--server-ip example.org', /'example\.org' is not an IPv4 address/],
    ['--server-ip ::1', /'::1' is not an IPv4 address/],
    ['--server-ip 192.168.8.102', /both 192\.168\.8\.102/],
    ['--server-ip 192.168.8.0', /the address of the network/],
    ['--client-ip 192.168.8.255', /the broadcast address/],
    ['--server-ip 127.0.0.1', /a loopback address/],
    ['--server-ip 224.0.0.1', /a multicast address/],
    ['--server-ip 0.0.0.0', /'this network'/],
    ['--client-ip 255.255.255.255', /a reserved address/],
    ['--client-ip 192.168.9.102', /not on the server's network.*192\.168\.8\.101\/24/],
  ])('%s', (line, message) => {
    let error: unknown;
    try {
      parseOptions(line.split(' '));
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).message).toMatch(message);
    expect((error as UsageError).message).not.toContain('\n');
  });
});

describe('planStreams', () => {
  it('gives one flow to the client by default', () => {
    expect(planStreams('forward', 1, 0)).toEqual([{ id: 5, localPort: 49_152, sender: 'client', bytes: 0 }]);
  });

  it('splits the bytes over the flows of a direction, none lost', () => {
    const streams = planStreams('reverse', 3, 10);
    expect(streams.map((stream) => stream.bytes)).toEqual([4, 3, 3]);
    expect(streams.every((stream) => stream.sender === 'server')).toBe(true);
  });

  it('runs both directions on flows of their own', () => {
    const streams = planStreams('bidirectional', 2, 0);
    expect(streams.map((stream) => stream.sender)).toEqual(['client', 'client', 'server', 'server']);
    expect(new Set(streams.map((stream) => stream.localPort)).size).toBe(4);
    expect(streams.map((stream) => stream.id)).toEqual([5, 7, 9, 11]);
  });
});
