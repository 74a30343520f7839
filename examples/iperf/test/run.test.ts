import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  areTwoEnds,
  MACHINE_DROP,
  MACHINE_NOTIFY_SENT,
  MACHINE_QUEUE,
  MACHINE_RING_PUSH,
  MACHINE_RING_REAP,
  MACHINE_RX_REAP,
  MACHINE_SLEEP,
  MACHINE_WAKE,
  parseText2013,
  RING_RX,
  RING_TX,
  readTrace,
} from '@qanat/flowlog';
import type { Kernel } from '@qanat/os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as clientImage from '../src/images/client.ts';
import * as serverImage from '../src/images/server.ts';
import { type IperfOptions, parseOptions } from '../src/options.ts';
import type { RunOutput } from '../src/output.ts';
import type { TrafficArgs } from '../src/protocol.ts';
import { type Images, IperfRun } from '../src/run.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'qanat-iperf-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

class MemoryOutput implements RunOutput {
  readonly isTerminal = false;
  readonly printed: string[] = [];
  readonly errors: string[] = [];
  /** Called after each output. */
  onLines: () => void = () => {};

  lines(lines: readonly string[]): void {
    this.printed.push(...lines);
    this.onLines();
  }

  live(): void {
    throw new Error('a live line was asked for');
  }

  error(line: string): void {
    this.errors.push(line);
  }
}

/** The part of the document that the tests look at. */
interface Document {
  readonly start: { readonly connected: readonly object[] };
  readonly intervals: readonly { readonly sum: Sum; readonly sum_bidir_reverse?: Sum }[];
  readonly end: {
    readonly streams: readonly object[];
    readonly sum_sent: Sum;
    readonly sum_received: Sum;
    readonly sum_received_bidir_reverse?: Sum;
  };
  readonly qanat: {
    readonly interrupted: boolean;
    readonly verify: { readonly bytes: number; readonly wrong_bytes: number } | null;
    readonly domains: readonly {
      readonly name: string;
      readonly loops: number;
      readonly sleeps: number;
      readonly offload?: { readonly queues: readonly { readonly sent: number; readonly received: number }[] };
    }[];
    readonly bridge: readonly {
      readonly port: string;
      readonly queue_drops: number;
      readonly impairment_drops: number;
    }[];
    readonly flow_logs: readonly { readonly path: string; readonly records: number; readonly overwritten: number }[];
    readonly streams: readonly { readonly mss: number }[];
  };
  readonly error?: string;
}

interface Sum {
  readonly seconds: number;
  readonly bytes: number;
  readonly bits_per_second: number;
  readonly retransmits: number;
}

async function iperf(line: string, images?: Images) {
  const options = parseOptions(`--audit ${line}`.split(' ').filter(Boolean)) as IperfOptions;
  const output = new MemoryOutput();
  const run = new IperfRun(options, output, images);
  const code = await run.run();
  return { code, ...output };
}

async function iperfJson(line: string): Promise<Document> {
  const { code, printed, errors } = await iperf(`--json ${line}`);
  expect(errors).toEqual([]);
  expect(code).toBe(0);
  expect(printed.length).toBe(1);
  return JSON.parse(printed[0]!) as Document;
}

describe('a run on virtual time', () => {
  it('sends by bytes, verified, and reports both ends', async () => {
    const { end, qanat, intervals, start } = await iperfJson('--machine virtual -n 500K --verify --rate 100M');
    expect(start.connected).toEqual([
      {
        socket: 5,
        local_host: '192.168.8.102',
        local_port: 49_152,
        remote_host: '192.168.8.101',
        remote_port: 5001,
      },
    ]);
    expect(end.sum_sent.bytes).toBe(512_000);
    expect(end.sum_received.bytes).toBe(512_000);
    expect(end.sum_received.bits_per_second).toBeGreaterThan(90e6);
    expect(end.sum_received.bits_per_second).toBeLessThan(100e6);
    expect(intervals.reduce((bytes, { sum }) => bytes + sum.bytes, 0)).toBe(512_000);
    expect(qanat.verify).toEqual({ bytes: 512_000, wrong_bytes: 0 });
    expect(qanat.domains.map(({ name }) => name)).toEqual(['Domain-0', 'server', 'client']);
    for (const domain of qanat.domains) expect(domain.sleeps).toBeGreaterThan(0);
    expect(qanat.bridge.map(({ port }) => port)).toEqual(['vif1.0', 'vif2.0']);
    expect(qanat.streams[0]!.mss).toBe(1448);
  });

  it('sends by time, at the rate of the link, with an interval for every report', async () => {
    const { end, intervals } = await iperfJson('--machine virtual -t 0.5 -i 0.1 --rate 20M -w 64K');
    expect(end.sum_sent.seconds).toBeCloseTo(0.5, 6);
    expect(end.sum_received.bytes).toBe(end.sum_sent.bytes);
    expect(end.sum_received.bits_per_second / 20e6).toBeGreaterThan(0.9);
    expect(intervals.length).toBe(5);
    for (const { sum } of intervals) expect(sum.seconds).toBeCloseTo(0.1, 6);
  });

  it('retransmits what a bad link loses, and every byte is right', async () => {
    const { end, qanat } = await iperfJson('--machine virtual -n 400K --verify --loss 2 --delay 5ms --rate 50M');
    expect(end.sum_received.bytes).toBe(409_600);
    expect(end.sum_sent.retransmits).toBeGreaterThan(0);
    expect(qanat.verify).toEqual({ bytes: 409_600, wrong_bytes: 0 });
    expect(qanat.bridge.some((port) => port.impairment_drops > 0)).toBe(true);
  });

  it('counts what a short queue drops', async () => {
    const { end, qanat } = await iperfJson('--machine virtual -n 300K --txqueuelen 4 --rate 10M --verify');
    expect(qanat.bridge.find(({ port }) => port === 'vif1.0')!.queue_drops).toBeGreaterThan(0);
    expect(end.sum_sent.retransmits).toBeGreaterThan(0);
    expect(qanat.verify).toEqual({ bytes: 307_200, wrong_bytes: 0 });
  });

  it('runs in reverse', async () => {
    const { end, intervals } = await iperfJson('--machine virtual -n 200K -R --verify');
    expect(end.sum_received.bytes).toBe(204_800);
    expect(intervals[0]).toMatchObject({ sum: { sender: false } });
  });

  it('runs in both directions over several flows', async () => {
    const { end, qanat } = await iperfJson('--machine virtual -n 100001 --bidir -P 3 --verify');
    expect(end.streams.length).toBe(6);
    expect(end.sum_received.bytes).toBe(100_001);
    expect(end.sum_received_bidir_reverse!.bytes).toBe(100_001);
    expect(qanat.verify).toEqual({ bytes: 200_002, wrong_bytes: 0 });
  });

  it.each([
    ['tiny writes', '-n 3000 -l 1 -N'],
    ['tiny buffers', '-n 50K -w 2K'],
    ['small segments', '-n 50K -M 100'],
    ['a small MTU', '-n 50K --mtu 128'],
    ['jumbo frames', '-n 2M --mtu 9000'],
    ['the largest MTU', '-n 2M --mtu 65521'],
    ['NewReno', '-n 200K -C newreno --loss 1 --delay 1ms'],
    ['BBR', '-n 200K -C bbr --loss 1 --delay 1ms'],
    ['other addresses and port', '-n 10K --server-ip 10.1.2.3 --client-ip 10.1.2.4 -p 1'],
  ])('verifies with %s', async (_name, line) => {
    const { end, qanat } = await iperfJson(`--machine virtual --verify ${line}`);
    expect(qanat.verify).toEqual({ bytes: end.sum_sent.bytes, wrong_bytes: 0 });
  });

  it('gives up draining soon after the time is up', async () => {
    const { end } = await iperfJson('--machine virtual -t 0.5 -w 4M --rate 1M');
    expect(end.sum_received.seconds).toBeLessThan(4);
    expect(end.sum_received.bytes).toBeLessThan(end.sum_sent.bytes);
  });

  it('gives the same flow log and capture for the same seed, byte for byte, and others for another', async () => {
    const trace = async (name: string, seed: number) => {
      const log = join(directory, `${name}.log`);
      const pcap = join(directory, `${name}.pcapng`);
      const link = '--loss 1 --delay 3ms --rate 50M';
      await iperfJson(`--machine virtual -n 200K --seed ${seed} ${link} --flow-log ${log} --pcap ${pcap}`);
      return { log: readFileSync(log), pcap: readFileSync(pcap) };
    };
    const first = await trace('first', 7);
    const second = await trace('second', 7);
    const other = await trace('other', 8);
    expect(second.log.equals(first.log)).toBe(true);
    expect(second.pcap.equals(first.pcap)).toBe(true);
    expect(other.log.equals(first.log)).toBe(false);
    expect(other.pcap.equals(first.pcap)).toBe(false);
    expect(readdirSync(directory).length).toBe(6);
  });

  it.each([2, 4])('over %d queues: verified, all in use, and the same for the same seed', async (queues) => {
    const trace = async (name: string) => {
      const pcap = join(directory, `${name}.pcapng`);
      const link = '--rate 200M --loss 0.2';
      const { qanat, end } = await iperfJson(
        `--machine virtual -n 2M -P 12 --bidir --queues ${queues} --verify ${link} --pcap ${pcap}`,
      );
      expect(qanat.verify).toEqual({ bytes: 2 * 2 * 1024 * 1024, wrong_bytes: 0 });
      expect(end.sum_sent.bytes).toBe(2 * 1024 * 1024);
      const offloads = qanat.domains.flatMap(({ offload }) => (offload === undefined ? [] : [offload]));
      for (const offload of offloads) {
        expect(offload.queues).toHaveLength(queues);
        for (const { sent, received } of offload.queues) expect(Math.min(sent, received)).toBeGreaterThan(0);
      }
      expect(offloads).toHaveLength(2);
      return readFileSync(pcap);
    };
    const first = await trace('first');
    expect((await trace('second')).equals(first)).toBe(true);
  });

  it('streams everything into one file, whole, the same for the same seed', async () => {
    const trace = async (name: string) => {
      const file = join(directory, name);
      const link = '--loss 1 --delay 3ms --rate 50M';
      const { qanat } = await iperfJson(`--machine virtual -n 300K --seed 3 ${link} --flow-log ${file}`);
      return { bytes: readFileSync(file), log: qanat.flow_logs[0]! };
    };
    const { bytes, log } = await trace('a.qflow');
    expect((await trace('b.qflow')).bytes.equals(bytes)).toBe(true);
    const { sources, flows, problems } = readTrace(bytes);
    expect(problems).toEqual([]);
    expect(sources.map(({ id, name, kind }) => [id, name, kind])).toEqual([
      [0, 'Domain-0', 'dom0'],
      [1, 'server', 'domain'],
      [2, 'client', 'domain'],
    ]);
    expect(areTwoEnds(flows[0]!, flows[1]!)).toBe(true);
    const rows = [
      ...flows.flatMap(({ segments, sacks, windows, events }) => [segments, sacks, windows, events]),
      ...sources.map(({ machine }) => machine),
    ].reduce((sum, table) => sum + table.rows, 0);
    expect(log).toMatchObject({ records: rows, overwritten: 0 });
    const kinds = (id: number) => new Set(sources[id]!.machine.kind);
    const domain = [MACHINE_SLEEP, MACHINE_WAKE, MACHINE_RING_PUSH, MACHINE_RING_REAP, MACHINE_NOTIFY_SENT];
    for (const kind of [...domain, MACHINE_RX_REAP]) expect(kinds(1)).toContain(kind);
    // Levels of rings: requests in use, pages that are not filled.
    const levels = (of: number) => {
      const { kind, a, b } = sources[1]!.machine;
      const isRing = new Set<number>([MACHINE_RING_PUSH, MACHINE_RING_REAP, MACHINE_RX_REAP]);
      return [...b].filter((_, row) => isRing.has(kind[row]!) && a[row] === of);
    };
    for (const of of [RING_TX, RING_RX]) {
      expect(Math.min(...levels(of))).toBeGreaterThanOrEqual(0);
      expect(Math.max(...levels(of))).toBeLessThanOrEqual(256);
    }
    expect(Math.max(...levels(RING_RX))).toBe(256);
    for (const kind of [MACHINE_SLEEP, MACHINE_WAKE, MACHINE_QUEUE, MACHINE_DROP]) expect(kinds(0)).toContain(kind);
    // A domain that slept was woken by its ring's port, or by time.
    const { machine } = sources[2]!;
    const ports = [...machine.kind].flatMap((kind, row) => (kind === MACHINE_WAKE ? [machine.a[row]!] : []));
    expect(ports).toContain(-1);
    expect(ports.some((port) => port > 0)).toBe(true);
  });

  it('writes a flow log that holds the flow, and a capture that holds its frames', async () => {
    const log = join(directory, 'run.log');
    const pcap = join(directory, 'run.pcapng');
    const { qanat } = await iperfJson(`--machine virtual -n 100K --no-gso --flow-log ${log} --pcap ${pcap}`);
    const read = parseText2013(readFileSync(log, 'utf8'));
    expect(read.skippedLines).toBe(0);
    expect(qanat.flow_logs).toMatchObject([{ path: log, records: read.log.count, overwritten: 0 }]);
    const sent = [...read.log].filter((record) => record.op === 'TX');
    // 102400 bytes in segments of 1448, and what opens and closes the flow.
    expect(sent.length).toBeGreaterThanOrEqual(71);
    const frames = pcapngPackets(readFileSync(pcap));
    const tcp = frames.filter((frame) => frame[12] === 8 && frame[13] === 0 && frame[23] === 6);
    expect(tcp.length).toBeGreaterThan(71 + 30);
    const payload = tcp.reduce(
      (bytes, frame) => bytes + (((frame[16]! << 8) | frame[17]!) - 20 - 4 * (frame[46]! >> 4)),
      0,
    );
    expect(payload).toBe(102_400);
  });

  it('logs each sender of several flows in a file of its own', async () => {
    const log = join(directory, 'run.log');
    const { qanat } = await iperfJson(`--machine virtual -n 20K --bidir -P 2 --flow-log ${log}`);
    expect(qanat.flow_logs.map(({ path }) => path)).toEqual(
      ['run.log', 'run.2.log', 'run.3.log', 'run.4.log'].map((name) => join(directory, name)),
    );
    for (const { path, records } of qanat.flow_logs) {
      expect(parseText2013(readFileSync(path, 'utf8')).log.count).toBe(records);
    }
  });

  it('prints as iperf3 does', async () => {
    const { code, printed } = await iperf('--machine virtual -t 0.3 -i 0.1 --rate 20M');
    expect(code).toBe(0);
    expect(printed[0]).toBe('Connecting to host 192.168.8.101, port 5001');
    expect(
      printed.filter((text) => /^\[ {2}5\] {3}0\.[0-3]0-0\.[1-3]0 {3}sec .*Mbits\/sec +\d+ .*Bytes/.test(text)).length,
    ).toBe(3);
    expect(printed.at(-1)).toBe('iperf Done.');
  });

  it('ends with its summary when it is interrupted', async () => {
    const output = new MemoryOutput();
    const run = new IperfRun(
      parseOptions('--machine virtual -n 100G -i 0.1 --rate 20M'.split(' ')) as IperfOptions,
      output,
    );
    output.onLines = () => {
      if (output.printed.some((text) => text.includes('0.10-0.20'))) run.interrupt();
    };
    expect(await run.run()).toBe(0);
    expect(output.errors).toEqual([]);
    expect(output.printed.some((text) => text.endsWith('receiver'))).toBe(true);
    expect(output.printed.at(-1)).toBe('iperf Done.');
  });

  it('says why there is no connection, and leaves no file', async () => {
    const log = join(directory, 'run.log');
    const pcap = join(directory, 'run.pcapng');
    const { code, errors } = await iperf(`--machine virtual -t 1 --loss 100 --flow-log ${log} --pcap ${pcap}`);
    expect(code).toBe(1);
    expect(errors).toEqual([expect.stringMatching(/^client: connect E\w+ 192\.168\.8\.101:5001/)]);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('reports a domain that throws by name and stack, ends the other, and says it in JSON, too', async () => {
    const broken = (image: typeof clientImage): typeof clientImage => ({
      main(kernel: Kernel): void {
        image.main(kernel);
        kernel.loop.defer(() => {
          throw new RangeError('the domain is broken');
        });
      },
    });
    for (const images of [
      { server: broken(serverImage), client: clientImage },
      { server: serverImage, client: broken(clientImage) },
    ]) {
      const name = images.client === clientImage ? 'server' : 'client';
      const { code, errors, printed } = await iperf('--machine virtual --json -t 1', images);
      expect(code).toBe(1);
      expect(errors.length).toBe(1);
      expect(errors[0]).toContain(`domain ${name} threw: RangeError: the domain is broken`);
      expect(errors[0]).toMatch(/\n +at .*run\.test\.ts/);
      expect((JSON.parse(printed.join('')) as Document).error).toContain('the domain is broken');
    }
  });

  it('reports a domain that ends by itself', async () => {
    const image = { main: (kernel: Kernel) => kernel.loop.defer(() => kernel.exit(3)) };
    const both = await iperf('--machine virtual -t 1', { server: image, client: image });
    expect(both).toMatchObject({ code: 1, errors: ['domain server ended with code 3'] });
  });

  it('finds bytes that are not those that were sent', async () => {
    const wrong: Images = {
      server: serverImage,
      client: {
        main(kernel: Kernel): void {
          const args = kernel.args as TrafficArgs;
          Object.defineProperty(kernel, 'args', { value: { ...args, seed: args.seed + 1 } });
          clientImage.main(kernel);
        },
      },
    };
    const { code, errors } = await iperf('--machine virtual -n 10K --verify', wrong);
    expect(code).toBe(1);
    expect(errors).toEqual([expect.stringMatching(/^stream 5: \d+ wrong bytes, the first at offset \d$/)]);
  });
});

describe('a run in one thread on the host’s clock', () => {
  it('verifies every byte, both ways', async () => {
    const { end, qanat } = await iperfJson('--machine cooperative -n 500K --verify --bidir');
    expect(end.sum_received.bytes).toBe(512_000);
    expect(qanat.verify).toEqual({ bytes: 1_024_000, wrong_bytes: 0 });
  });
});

/** @returns the frames of the enhanced packet blocks of a little-endian pcapng file. */
function pcapngPackets(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  expect(view.getUint32(0, true)).toBe(0x0a0d_0d0a);
  const frames: Uint8Array[] = [];
  for (let at = 0; at < file.byteLength; ) {
    const length = view.getUint32(at + 4, true);
    expect(view.getUint32(at + length - 4, true)).toBe(length);
    if (view.getUint32(at, true) === 6) {
      frames.push(file.subarray(at + 28, at + 28 + view.getUint32(at + 20, true)));
    }
    at += length;
  }
  return frames;
}
