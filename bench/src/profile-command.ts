import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { count, positive } from './argument.ts';
import { runNode } from './child.ts';
import { onCleanup } from './cleanup.ts';
import { byGroup, type CpuProfile, foldProfile, type ThreadProfile } from './cpu-profile.ts';
import { describeMachine, type MachineDescription } from './machine-description.ts';
import { alignColumns } from './statistics.ts';

const IPERF = new URL('../../examples/iperf/dist/main.js', import.meta.url);
const WARM_UP_SECONDS = 2;
/** By the number of their worker: Dom0 is there first, then iperf creates its domains in this order. */
const THREADS = ['Dom0', 'server', 'client'];
/** CPU.DATE.TIME.PID.THREAD.SEQUENCE.cpuprofile */
const FILE = /\.(\d+)\.\d+\.cpuprofile$/;
/** Payload of a segment at MTU 1500, with timestamps; and of a large one, which goes as one where there is GSO. */
const SEGMENT_BYTES = 1448;
const LARGE_SEGMENT_BYTES = 65_536;

export interface ProfileResult {
  readonly schema: 'qanat-bench-profile/1';
  readonly bench: 'profile';
  readonly date: string;
  readonly machine: MachineDescription;
  readonly iperfArgs: readonly string[];
  /** Of the whole run, under the profiler. */
  readonly bitsPerSecond: number;
  readonly threads: readonly ThreadProfile[];
}

interface ProfileOptions {
  readonly seconds: number;
  readonly top: number;
  readonly json?: boolean;
  readonly save?: boolean;
}

export interface ProfileOutput {
  readonly line: (text: string) => void;
  readonly progress: (text: string) => void;
  readonly save: (result: ProfileResult) => string;
}

/** Runs iperf in threads under V8's sampling profiler. */
async function profile(seconds: number, iperfArgs: readonly string[]): Promise<ProfileResult> {
  const directory = mkdtempSync(join(tmpdir(), 'qanat-bench-'));
  const remove = onCleanup(() => rmSync(directory, { recursive: true }));
  try {
    const profiler = ['--cpu-prof', `--cpu-prof-dir=${directory}`];
    const args = ['--json', '-t', `${seconds + WARM_UP_SECONDS}`, ...iperfArgs];
    const document = JSON.parse(await runNode(IPERF, profiler, args)) as {
      readonly end: { readonly sum_received: { readonly bits_per_second: number } };
    };
    const threads = readdirSync(directory)
      .map((file) => ({ file, thread: THREADS[Number(FILE.exec(file)?.[1]) - 1] }))
      .flatMap(({ file, thread }) => {
        if (thread === undefined) return [];
        const document = JSON.parse(readFileSync(join(directory, file), 'utf8')) as CpuProfile;
        return [foldProfile(document, thread, WARM_UP_SECONDS * 1e6)];
      });
    return {
      schema: 'qanat-bench-profile/1',
      bench: 'profile',
      date: new Date().toISOString(),
      machine: describeMachine(),
      iperfArgs,
      bitsPerSecond: document.end.sum_received.bits_per_second,
      threads,
    };
  } finally {
    remove();
  }
}

/** What the time of a profile is spread over: the bytes of a segment, and nanoseconds of each thread for them. */
export function perSegment({ iperfArgs, bitsPerSecond }: ProfileResult): { bytes: number; ns: number } {
  const small = iperfArgs.includes('--no-offload') || iperfArgs.includes('--no-gso');
  const bytes = small ? SEGMENT_BYTES : LARGE_SEGMENT_BYTES;
  return { bytes, ns: (bytes * 8e9) / bitsPerSecond };
}

/** @returns the lines of a table for people. @param top functions shown of each thread. */
export function profileTable(result: ProfileResult, top: number): string[] {
  const { bytes, ns } = perSegment(result);
  const lines = [
    `profile: self time by function, each domain a thread; ${(result.bitsPerSecond / 1e9).toFixed(2)} Gbit/s under the profiler,`,
    `so ${ns.toFixed(0)} ns for each ${bytes} bytes in each thread (waiting is in deschedule)`,
    `iperf ${result.iperfArgs.join(' ')}`.trim(),
  ];
  for (const thread of result.threads) {
    const row = (name: string, us: number): string[] => [
      name,
      `${((100 * us) / thread.us).toFixed(1)} %`,
      `${((ns * us) / thread.us).toFixed(0)} ns`,
    ];
    const groups = byGroup(thread).slice(0, 8);
    const functions = thread.functions.slice(0, top);
    lines.push('', `${thread.thread}, by package`);
    lines.push(...alignColumns(groups.map(({ group, us }) => row(`  ${group}`, us))));
    lines.push(`${thread.thread}, by function`);
    lines.push(...alignColumns(functions.map(({ name, group, us }) => row(`  ${group}/${name}`, us))));
  }
  return lines;
}

/** Adds `bench profile`. */
export function addProfile(command: Command, output: ProfileOutput): void {
  command
    .command('profile')
    .description('iperf in threads under the sampling profiler: self time by package and function')
    .option('--seconds <n>', `length of the run, after ${WARM_UP_SECONDS} s of warm-up`, positive, 5)
    .option('--top <n>', 'functions shown of each thread', count, 14)
    .option('--json', 'print one JSON document')
    .option('--save', 'keep the result in bench/results')
    .argument('[iperf-options...]', 'further options for iperf, after --')
    .action(async (iperfArgs: string[], { seconds, top, json = false, save = false }: ProfileOptions) => {
      const whole = await profile(seconds, iperfArgs);
      const threads = whole.threads.map((one) => ({ ...one, functions: one.functions.slice(0, 60) }));
      if (json) output.line(JSON.stringify({ ...whole, threads }, null, 2));
      else for (const text of profileTable(whole, top)) output.line(text);
      if (save) output.progress(`kept in ${output.save({ ...whole, threads })}`);
    });
}
