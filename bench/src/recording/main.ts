/**
 * What recording costs, within one run: `node main.js nothing|memory|file gso|plain SECONDS WARM_UP_SECONDS [FILE]`. One flow
 * between two domains runs at full speed while recording is switched off and on in turn; each such pair gives a ratio, and who is
 * first changes from pair to pair. Nothing else differs between the two, so that the moods of the computer fall out, the better
 * the shorter the two are. Prints figures as JSON.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { SlotReceiver, type TraceMessage, TraceWriter } from '@qanat/flowlog';
import { createMachine, type DomainHandle } from 'qanat';
import type { Figures } from '../case.ts';
import { median } from '../statistics.ts';
import {
  CLIENT_IP,
  type DomainPost,
  type HostPost,
  type Mode,
  type RecordingArgs,
  SERVER_IP,
  type What,
} from './protocol.ts';

interface Span {
  /** After a switch: what was under way arrives, tables grow. */
  readonly settleMs: number;
  /** Then the bytes of so long are counted. */
  readonly countedMs: number;
}

/** Switching costs next to nothing where rows stay in memory; three threads take part in it where they are written. */
const SPANS: Record<What, Span> = {
  nothing: { settleMs: 10, countedMs: 40 },
  memory: { settleMs: 10, countedMs: 40 },
  file: { settleMs: 30, countedMs: 170 },
};
const WHATS: readonly string[] = ['nothing', 'memory', 'file'] satisfies What[];
const MODES: readonly string[] = ['gso', 'plain'] satisfies Mode[];

const [what, mode, seconds, warmUpSeconds, path] = [
  process.argv[2] ?? '',
  process.argv[3] ?? '',
  Number(process.argv[4]),
  Number(process.argv[5]),
  process.argv[6] ?? '/dev/null',
];
if (!(WHATS.includes(what) && MODES.includes(mode) && seconds > 0 && warmUpSeconds >= 0)) {
  throw new Error('usage: main.js nothing|memory|file gso|plain SECONDS WARM_UP_SECONDS [FILE]');
}
const { settleMs, countedMs } = SPANS[what as What];
const pairSeconds = (2 * (settleMs + countedMs)) / 1000;
const args: RecordingArgs = { what: what as What, mode: mode as Mode };

const machine = await createMachine({ memoryMiB: 256 });
machine.onError = (message) => {
  throw new Error(`Dom0: ${message}`);
};
const file = what === 'file' ? openSync(path, 'w') : -1;
const write = (bytes: Uint8Array): void => {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
};
const writer = file < 0 ? undefined : new TraceWriter(write, { clock: { unixEpochUs: undefined, resolutionUs: 1 } });
const receivers = new Map<string, SlotReceiver>();
let endDom0: (() => Promise<void>) | undefined;

const domains: DomainHandle[] = [];
const post = (message: HostPost): void => {
  for (const domain of domains) domain.post(message);
};
let counted: ((at: { nowUs: number; bytes: number }) => void) | undefined;
let records = 0;
let allReady: () => void = () => {};
const ready = new Promise<void>((resolve) => {
  allReady = resolve;
});
let readyCount = 0;
for (const [name, ip] of [
  ['server', SERVER_IP],
  ['client', CLIENT_IP],
] as const) {
  const image = new URL(`./${name}.js`, import.meta.url);
  const vifs = [{ bridge: 'xenbr0', ip: `${ip}/24` }];
  const domain = await machine.create({ name, image, memoryMiB: 80, vifs, args });
  domain.onMessage = (message) => receive(name, message as DomainPost);
  domains.push(domain);
}
const exits = machine.run();
await ready;
domains[1]!.post({ type: 'go' } satisfies HostPost);
await sleep((warmUpSeconds * 1000) / 2);
// Both ways are compiled before anything counts.
const [off, on]: number[][] = [[], []];
const cpuRatios: number[] = [];
const warmUps = Math.ceil(warmUpSeconds / 2 / pairSeconds);
for (let i = 0; i < warmUps; i++) await pair(i % 2 === 0);
const pairs = Math.max(Math.round(seconds / pairSeconds), 1);
const ratios: number[] = [];
for (let i = 0; i < pairs; i++) {
  const rates = await pair(i % 2 === 0);
  off!.push(rates.off.bitsPerSecond);
  on!.push(rates.on.bitsPerSecond);
  ratios.push(rates.on.bitsPerSecond / rates.off.bitsPerSecond);
  cpuRatios.push(rates.on.cpuUsPerByte / rates.off.cpuUsPerByte);
}
await endDom0?.();
post({ type: 'exit' });
const failed = (await exits).find(({ error }) => error !== undefined);
await machine.close();
if (failed?.error) throw failed.error;
writer?.end();
if (file >= 0) closeSync(file);
let lost = 0;
for (const receiver of receivers.values()) lost += receiver.lost;
const figures: Figures = {
  offBitsPerSecond: median(off!),
  bitsPerSecond: median(on!),
  costPercent: (1 - median(ratios)) * 100,
  cpuCostPercent: (median(cpuRatios) - 1) * 100,
  pairs,
  records: records + (writer?.rows ?? 0),
  rowsLost: lost,
  fileBytes: writer?.bytes ?? 0,
};
process.stdout.write(`${JSON.stringify(figures)}\n`);

function receive(from: string, message: DomainPost): void {
  if (message.type === 'ready' && ++readyCount === 2) allReady();
  else if (message.type === 'counted') counted?.(message);
  else if (message.type === 'ended') records += message.records;
  else if (message.type === 'trace') receiveTrace(from, message.trace);
}

function receiveTrace(from: string, trace: TraceMessage): void {
  if (writer === undefined) return;
  let receiver = receivers.get(from);
  if (receiver === undefined) {
    receiver = new SlotReceiver(writer);
    receivers.set(from, receiver);
  }
  receiver.receive(trace);
}

/** Each recording of Dom0 has slots of its own. */
async function switchDom0(isOn: boolean): Promise<void> {
  await endDom0?.();
  const name = `Domain-0 ${receivers.size}`;
  endDom0 = isOn ? machine.traceDom0((trace) => receiveTrace(name, trace)) : undefined;
}

interface Rate {
  readonly bitsPerSecond: number;
  /** Of all threads. */
  readonly cpuUsPerByte: number;
}

async function pair(offFirst: boolean): Promise<{ off: Rate; on: Rate }> {
  if (offFirst) {
    const without = await rate(false);
    return { off: without, on: await rate(true) };
  }
  const recorded = await rate(true);
  return { off: await rate(false), on: recorded };
}

/** Of one span. */
async function rate(isOn: boolean): Promise<Rate> {
  if (what !== 'nothing') post({ type: 'switch', on: isOn });
  if (writer !== undefined) await switchDom0(isOn);
  await sleep(settleMs);
  const from = await count();
  const cpu = process.cpuUsage();
  await sleep(countedMs);
  const to = await count();
  const { user, system } = process.cpuUsage(cpu);
  const bytes = to.bytes - from.bytes;
  return { bitsPerSecond: (bytes * 8e6) / (to.nowUs - from.nowUs), cpuUsPerByte: (user + system) / bytes };
}

function count(): Promise<{ nowUs: number; bytes: number }> {
  return new Promise((resolve) => {
    counted = resolve;
    domains[1]!.post({ type: 'count' } satisfies HostPost);
  });
}
