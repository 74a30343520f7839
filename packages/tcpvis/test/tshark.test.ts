import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatByName, isReceived, REASON_NONE, REASON_PROBE, segmentReason, type Trace } from '@qanat/flowlog';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bothEnds, type Transfer, type Transferred, transfer } from './simulated.ts';

const missing = ['tshark', 'capinfos'].filter((name) => spawnSync(name, ['--version']).status !== 0);
const suffix = missing.length > 0 ? ` (skipped: no ${missing.join(' and no ')}: scripts/setup-debian.sh tshark)` : '';
const TIMEOUT_MS = 240_000;

const folder = mkdtempSync(join(tmpdir(), 'qanat-tshark-'));
afterAll(() => rmSync(folder, { recursive: true }));

function run(command: string, ...args: string[]): { readonly out: string; readonly warnings: string } {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  // Neither says anything about the file: who runs it, and where.
  const warnings = stderr.split('\n').filter((line) => !/^Running as user|XDG_RUNTIME_DIR/.test(line));
  expect([command, args, status]).toEqual([command, args, 0]);
  return { out: stdout, warnings: warnings.join('\n').trim() };
}

function pcapng(name: string, trace: Trace, flows?: readonly number[]): string {
  const path = join(folder, `${name}.pcapng`);
  const pieces: Uint8Array[] = [];
  const options = flows === undefined ? {} : { flows };
  formatByName('pcapng')!.write!(trace, (piece) => pieces.push(piece.slice()), options);
  writeFileSync(path, Buffer.concat(pieces));
  return path;
}

/** What tshark says of each packet: who sent it, its numbers, and how its analysis calls it. */
interface Analysed {
  readonly source: string;
  /** From and to. */
  readonly ports: string;
  readonly seq: string;
  readonly ack: string;
  readonly length: string;
  readonly label: string;
  readonly comment: string;
}

const LABELS = ['retransmission', 'fast_retransmission', 'spurious_retransmission', 'out_of_order', 'keep_alive'];

function analyse(path: string): Analysed[] {
  const fields = ['ip.src', 'tcp.port', 'tcp.seq_raw', 'tcp.ack_raw', 'tcp.len', 'frame.comment'];
  const labels = LABELS.map((label) => `tcp.analysis.${label}`);
  const asked = [...fields, ...labels].flatMap((field) => ['-e', field]);
  const { out, warnings } = run('tshark', '-r', path, '-Y', 'tcp.port == 5001', '-T', 'fields', ...asked);
  expect(warnings).toBe('');
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [source, ports, seq, ack, length, comment, ...found] = line.split('\t') as [
        ...[string, string, string, string, string, string],
        ...string[],
      ];
      const label = LABELS.filter((_, index) => found[index]).join(' ');
      return { source, ports, seq, ack, length, comment, label };
    });
}

/** Rows of the sender's segments that were sent again. */
function sentAgain({ flows }: Trace): number[] {
  const [{ segments }] = flows as [Trace['flows'][number]];
  const rows = Array.from({ length: segments.rows }, (_, row) => row);
  return rows.filter((row) => {
    const reason = segmentReason(segments.info[row]!);
    return !isReceived(segments.info[row]!) && reason !== REASON_NONE && reason !== REASON_PROBE;
  });
}

/** Rows of the sender's probes: of a window that is closed, and keep-alives. */
function probes({ flows }: Trace): number[] {
  const [{ segments }] = flows as [Trace['flows'][number]];
  const rows = Array.from({ length: segments.rows }, (_, row) => row);
  return rows.filter((row) => {
    return !isReceived(segments.info[row]!) && segmentReason(segments.info[row]!) === REASON_PROBE;
  });
}

/** Several runs in one file: other ports, other ids. */
function besides(traces: readonly Trace[]): Trace {
  const [first] = traces as [Trace];
  return { ...first, flows: traces.flatMap(({ flows }, id) => flows.map((flow) => ({ ...flow, id }))) };
}

const FIRST_PORT = 40_000;
const SEEDS = [1, 2, 3];
const KINDS: readonly (Omit<Transfer, 'seed'> & { readonly name: string })[] = [
  { name: 'loss', bytes: 400_000, delayUs: 10_000, lossRate: [0.02, 0] },
  { name: 'loss both ways', bytes: 300_000, delayUs: 10_000, lossRate: [0.1, 0.05] },
  { name: 'heavy loss', bytes: 100_000, delayUs: 1000, lossRate: [0.25, 0.2] },
  { name: 'long way', bytes: 500_000, delayUs: 60_000, lossRate: [0.02, 0.02] },
  { name: 'short way', bytes: 500_000, delayUs: 100, lossRate: [0.02, 0.02] },
  { name: 'NewReno', bytes: 400_000, delayUs: 10_000, lossRate: [0.03, 0], congestion: 'newreno' },
  { name: 'BBR', bytes: 400_000, delayUs: 10_000, lossRate: [0.03, 0], congestion: 'bbr', rateBps: 20e6 },
  {
    ...{ name: 'bursts of loss', bytes: 500_000, delayUs: 10_000, lossRate: [0, 0] },
    impair: { burst: { goodToBad: 0.01, badToGood: 0.2 } },
  },
  {
    ...{ name: 'a queue that is full', bytes: 1_000_000, delayUs: 10_000, lossRate: [0, 0], rateBps: 10e6 },
    impair: { queuePackets: 20 },
  },
  {
    ...{ name: 'reordering', bytes: 500_000, delayUs: 10_000, lossRate: [0, 0] },
    impair: { reorderRate: 0.03, reorderUs: 4000 },
  },
  {
    ...{
      name: 'reordering, duplicates and loss',
      bytes: 400_000,
      delayUs: 10_000,
      lossRate: [0.02, 0.02],
      rateBps: 20e6,
    },
    impair: { reorderRate: 0.02, reorderUs: 30_000, duplicateRate: 0.02, jitterUs: 2000 },
  },
  {
    ...{
      name: 'bursts of data',
      bytes: 600_000,
      burstBytes: 60_000,
      delayUs: 10_000,
      lossRate: [0.02, 0],
      rateBps: 20e6,
    },
  },
  { name: 'a reader that pauses', bytes: 3_000_000, delayUs: 5000, lossRate: [0.01, 0.01], pauseUs: 3_000_000 },
];

const rowsWith = (packets: readonly Analysed[], pattern: RegExp) =>
  packets.flatMap(({ source, label }, row) => (source === '10.0.0.1' && pattern.test(label) ? [row] : []));

describe.skipIf(missing.length > 0)(`pcapng of a flow log, as Wireshark's tools see it${suffix}`, () => {
  const FEW: Transfer = {
    ...{ seed: 1, bytes: 2_000_000, burstBytes: 60_000, delayUs: 10_000, rateBps: 20e6, lossRate: [0.01, 0] },
  };
  const MANY: readonly Transfer[] = [
    { seed: 2, bytes: 1_000_000, delayUs: 10_000, lossRate: [0.05, 0] },
    { seed: 3, bytes: 800_000, delayUs: 10_000, lossRate: [0.1, 0.05] },
    { seed: 4, bytes: 500_000, delayUs: 1000, lossRate: [0.2, 0.1] },
    { seed: 5, bytes: 1_500_000, delayUs: 50_000, lossRate: [0.02, 0.02] },
  ];
  let few: Transferred;

  beforeAll(() => {
    few = transfer(FEW);
  });

  it(
    'capinfos and tshark read it without a warning, checksums and lengths included',
    () => {
      const path = pcapng('few', few.sender);
      const { out, warnings } = run('capinfos', path);
      expect(warnings).toBe('');
      expect(out).toMatch(/File timestamp precision: +nanoseconds/);
      expect(out).toMatch(new RegExp(`Number of packets: +${few.sender.flows[0]!.segments.rows}\\n`));
      expect(out).toMatch(/Strict time order: +True/);
      const check = ['-o', 'ip.check_checksum:TRUE', '-o', 'tcp.check_checksum:TRUE'];
      const expert = run('tshark', '-r', path, ...check, '-q', '-z', 'expert');
      expect(expert.warnings).toBe('');
      expect(expert.out).toMatch(/retransmission/);
      expect(expert.out).not.toMatch(/^Errors/m);
      // What it says of the packets as a warning is one thing, and true: the log has it as "limited by receive window".
      const [, warned = ''] = expert.out.split(/^Warns.*$/m);
      const [warns] = warned.split(/^\w+ \(\d+\)$/m);
      expect(warns!.match(/TCP +\S.*/g)?.filter((line) => !line.includes('now completely full')) ?? []).toEqual([]);
      const bad = '_ws.malformed || _ws.short || ip.checksum.status == "Bad" || tcp.checksum.status == "Bad"';
      expect(run('tshark', '-r', path, ...check, '-Y', bad).out).toBe('');
    },
    TIMEOUT_MS,
  );

  it(
    'the retransmissions of a run of bursts are those of the log, no more and no fewer',
    () => {
      const again = sentAgain(few.sender);
      expect(again.length).toBeGreaterThan(5);
      expect(rowsWith(analyse(pcapng('few', few.sender)), /retransmission/)).toEqual(again);
    },
    TIMEOUT_MS,
  );

  // Whether a segment below the highest one sent was sent again or overtaken, tshark (4.0) guesses by time: when new data was sent
  // within the first round trip, and duplicate acknowledgments do not tell, it says "out of order". What a sender sent was not
  // overtaken by anything yet: there it means the same. docs/FLOWLOG.md says what is compared.
  it(
    'the retransmissions of all kinds of runs are those of the log, frame by frame, and each has its reason in a comment',
    () => {
      const runs = KINDS.flatMap((kind) => SEEDS.map((seed) => ({ ...kind, seed })));
      const traces = runs.map((options, index) => transfer({ ...options, localPort: FIRST_PORT + index }).sender);
      const packets = analyse(pcapng('kinds', besides(traces)));
      const found = new Set<string>();
      for (const [index, run] of runs.entries()) {
        const name = `${run.name}, seed ${run.seed}`;
        const own = packets.filter(({ ports }) => ports.includes(String(FIRST_PORT + index)));
        const trace = traces[index]!;
        expect([name, own.length]).toEqual([name, trace.flows[0]!.segments.rows]);
        const again = sentAgain(trace);
        for (const row of again) found.add(own[row]!.label);
        expect([name, ...rowsWith(own, /retransmission|out_of_order/)]).toEqual([name, ...again]);
        const told = own.flatMap(({ comment }, row) => (/^retransmission \(/.test(comment) ? [row] : []));
        expect([name, ...told]).toEqual([name, ...[...again, ...probes(trace)].sort((a, b) => a - b)]);
        expect([name, ...rowsWith(own, /keep_alive/)]).toEqual([name, ...probes(trace)]);
      }
      // All its names for it, but "spurious": what is acknowledged is not sent again.
      expect(found).toEqual(new Set(['retransmission', 'retransmission fast_retransmission', 'out_of_order']));
    },
    TIMEOUT_MS,
  );

  it(
    'tshark says of every packet what it says of the frames that were captured on the link in the same run',
    () => {
      for (const run of [FEW, MANY[1]!]) {
        const { sender, capture } = transfer(run);
        const path = join(folder, 'link.pcapng');
        writeFileSync(path, capture);
        const onLink = analyse(path);
        const fromLog = analyse(pcapng('log', sender));
        const plain = (packets: Analysed[]) => packets.map(({ comment: _, ...rest }) => rest);
        expect(plain(fromLog)).toEqual(plain(onLink));
      }
    },
    TIMEOUT_MS,
  );

  it(
    'of a connection whose two ends were recorded no packet is there twice',
    () => {
      const packets = analyse(pcapng('both', bothEnds(few)));
      expect(packets).toEqual(analyse(pcapng('few', few.sender)));
      const receiver = analyse(pcapng('receiver', bothEnds(few), [few.receiver.flows[0]!.id]));
      expect(receiver.length).toBe(few.receiver.flows[0]!.segments.rows);
    },
    TIMEOUT_MS,
  );
});
