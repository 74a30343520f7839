import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Contender, Figures } from '../case.ts';
import { runProgram } from '../child.ts';
import { onCleanup } from '../cleanup.ts';
import type { Progress } from '../statistics.ts';
import { SPAN_SECONDS, steadiness } from '../steadiness.ts';
import { StolenTime } from '../stolen-time.ts';

const PING_PONG = fileURLToPath(new URL('../../build/tcp-ping-pong', import.meta.url));
const PREFIX = 'qanat-bench-';
const SERVER_IP = '10.231.77.2';
const CLIENT_IP = '10.231.77.1';
const PORT = 5201;
/** Left out at the start of each run of iperf3. */
const OMIT_SECONDS = 1;

/** `on`: what Linux has by default. `off`: no offload at all, MTU 1500. */
export type Offloads = 'on' | 'off';

/**
 * Linux's TCP over a veth pair between two network namespaces, by iperf3.
 * @param args further arguments of the client.
 */
export function vethBulk(name: string, offloads: Offloads, args: readonly string[] = []): Contender {
  return {
    name,
    missing: () => missing(['ip', 'iperf3', ...(offloads === 'off' ? ['ethtool'] : [])]),
    run: ({ seconds }) =>
      withVeth(offloads, async (server, client) => {
        const whole = Math.max(1, Math.round(seconds));
        const serving = runProgram('ip', [...inside(server), 'iperf3', '-s', '-1', '-p', `${PORT}`, '-J']);
        // Its end is awaited below; until then a failure must not count as unhandled.
        serving.catch(() => {});
        await listening(server);
        const times = ['-t', `${whole}`, '-O', `${OMIT_SECONDS}`, '-i', `${SPAN_SECONDS}`];
        const stolen = new StolenTime();
        const { stdout } = await runProgram('ip', [
          ...[...inside(client), 'iperf3', '-c', SERVER_IP, '-p', `${PORT}`, '-J'],
          ...[...times, ...args],
        ]).finally(() => stolen.stop());
        const endMs = Date.now();
        await serving;
        const document = JSON.parse(stdout) as Iperf3Document;
        return { ...figuresOf(document), ...steadiness({ spans: spansOf(document), stolen, endMs }, OMIT_SECONDS) };
      }),
  };
}

/** The kernel's TCP over veth, one byte to and fro, the client and the server kept to a CPU each. */
export function vethPingPong(name: string, [clientCpu, serverCpu]: readonly [number, number]): Contender {
  return {
    name,
    missing: () => missing(['ip']) ?? (existsSync(PING_PONG) ? undefined : 'not built: bench/setup.sh does it'),
    run: ({ seconds }) =>
      withVeth('on', async (server, client) => {
        const serving = runProgram('ip', [...inside(server), PING_PONG, 'server', `${PORT}`, `${serverCpu}`]);
        serving.catch(() => {});
        const asking = [...inside(client), PING_PONG, 'client', SERVER_IP, `${PORT}`, `${clientCpu}`, `${seconds}`];
        const { stdout } = await runProgram('ip', asking);
        await serving;
        return JSON.parse(stdout) as Figures;
      }),
  };
}

/** The part of iperf3's document that is read here. */
interface Iperf3Document {
  /** As the client sees them. */
  readonly intervals: readonly { readonly sum: { readonly seconds: number; readonly bytes: number } }[];
  readonly end: {
    readonly sum_sent: { readonly retransmits?: number };
    readonly sum_received: Iperf3Sum;
    readonly sum_received_bidir_reverse?: Iperf3Sum;
    readonly cpu_utilization_percent: { readonly host_total: number; readonly remote_total: number };
  };
}

interface Iperf3Sum {
  readonly bits_per_second: number;
}

/** What was sent in each interval, in that which is left out of the rates too. */
function spansOf({ intervals }: Iperf3Document): Progress[] {
  return intervals.map(({ sum: { seconds, bytes } }) => ({ seconds, bytes }));
}

/** @returns the figures of a document of iperf3. */
export function figuresOf({ end }: Pick<Iperf3Document, 'end'>): Figures {
  const bitsPerSecond = end.sum_received.bits_per_second + (end.sum_received_bidir_reverse?.bits_per_second ?? 0);
  const { host_total, remote_total } = end.cpu_utilization_percent;
  return {
    bitsPerSecond,
    // Both processes; what the kernel does for them in other contexts is not in it.
    cpuNsPerByte: (((host_total + remote_total) / 100) * 1e9) / (bitsPerSecond / 8),
    retransmits: end.sum_sent.retransmits ?? 0,
  };
}

function missing(programs: readonly string[]): string | undefined {
  if (process.platform !== 'linux') return 'Linux only';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  for (const program of programs) {
    if (spawnSync('which', [program]).status !== 0) return `no ${program}: bench/setup.sh installs it`;
  }
  const probe = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  return probe.status === 0 ? undefined : `no network namespaces here: ${probe.stderr.trim()}`;
}

function inside(namespace: string): string[] {
  return ['netns', 'exec', namespace];
}

/** Makes the namespaces and the cable between them, and takes them away again whatever happens. */
async function withVeth<T>(offloads: Offloads, use: (server: string, client: string) => Promise<T>): Promise<T> {
  removeStale();
  const [server, client] = [`${PREFIX}${process.pid}-s`, `${PREFIX}${process.pid}-c`];
  const remove = onCleanup(() => {
    for (const name of [server, client]) spawnSync('ip', ['netns', 'del', name]);
  });
  try {
    for (const name of [server, client]) ip('netns', 'add', name);
    ip('-n', client, 'link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth0', 'netns', server);
    const ends = [
      [server, SERVER_IP],
      [client, CLIENT_IP],
    ] as const;
    for (const [name, address] of ends) {
      ip('-n', name, 'address', 'add', `${address}/24`, 'dev', 'veth0');
      ip('-n', name, 'link', 'set', 'veth0', 'mtu', '1500', 'up');
      ip('-n', name, 'link', 'set', 'lo', 'up');
      if (offloads === 'off') switchOff(name);
    }
    return await use(server, client);
  } finally {
    remove();
  }
}

const FEATURES = ['tx', 'rx', 'sg', 'tso', 'gso', 'gro'];

function switchOff(namespace: string): void {
  const switches = FEATURES.flatMap((feature) => [feature, 'off']);
  ip(...inside(namespace), 'ethtool', '-K', 'veth0', ...switches);
}

function ip(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr.trim()}`);
}

/** Namespaces of a bench that was killed before it could take them away. */
function removeStale(): void {
  const directory = '/run/netns';
  for (const name of existsSync(directory) ? readdirSync(directory) : []) {
    const pid = /^qanat-bench-(\d+)-[sc]$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) spawnSync('ip', ['netns', 'del', name]);
  }
}

/** Waits until the server of iperf3 listens. */
async function listening(namespace: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const sockets = spawnSync('ip', [...inside(namespace), 'ss', '-Hltn', `sport = :${PORT}`], { encoding: 'utf8' });
    if (sockets.stdout.trim() !== '') return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('iperf3 -s does not listen after 2 s');
}
