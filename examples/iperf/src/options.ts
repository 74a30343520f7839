import { Command, CommanderError, Option } from 'commander';
import { checkAddresses } from './addresses.ts';
import type { Affinity } from './affinity.ts';
import { isTrace } from './trace-option.ts';
import { parseBytes, parseDelayUs, parsePercent, parseRate } from './units.ts';
import { UsageError } from './usage-error.ts';

export const VERSION = '0.1.0';

export type MachineKind = 'threads' | 'cooperative' | 'virtual';
export type Direction = 'forward' | 'reverse' | 'bidirectional';

/** What the command line asks for, checked. */
export interface IperfOptions {
  readonly serverIp: string;
  readonly clientIp: string;
  readonly port: number;
  /** Seconds; 0 until it is interrupted. Not used when `bytes` is given. */
  readonly seconds: number;
  /** Bytes to send over all flows of a direction, 0 for a run by time. */
  readonly bytes: number;
  readonly parallel: number;
  /** Seconds between reports, 0 for none. */
  readonly interval: number;
  readonly direction: Direction;
  /** Bytes of one write. */
  readonly length: number;
  /** Socket buffers in bytes, 0 for the stack's default. */
  readonly window: number;
  /** Largest segment payload, 0 for the path's. */
  readonly mss: number;
  readonly congestion: 'cubic' | 'newreno' | 'bbr';
  readonly noDelay: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
  readonly mtu: number;
  readonly txqueuelen: number;
  readonly delayUs: number;
  /** Fraction of frames lost, 0..1. */
  readonly loss: number;
  /** Bits per second, 0 for no limit. */
  readonly rate: number;
  readonly seed: number;
  readonly machine: MachineKind;
  /** Undefined: the host moves the domains' threads as it likes. */
  readonly affinity: Affinity | undefined;
  /** Transport checksums are left to whom it concerns: frames between domains go without. */
  readonly checksumOffload: boolean;
  /** TCP sends up to 64 KB as one packet. */
  readonly gso: boolean;
  /** Receivers put segments together before TCP sees them. */
  readonly gro: boolean;
  /** Queues that each frontend asks for. */
  readonly queues: number;
  /**
   * What becomes of the sender's bytes: they are sent from where they lie (`lend`), copied into the flow's buffer (`write`),
   * or copied there and into the transmit buffers of the device (`copy`).
   */
  readonly send: 'lend' | 'write' | 'copy';
  readonly verify: boolean;
  readonly audit: boolean;
  readonly flowLog: string | undefined;
  readonly pcap: string | undefined;
  /** Port of the page that draws while the run goes on, 0 for any; undefined for no page. */
  readonly live: number | undefined;
}

/** What `--help` and `--version` ask for instead of a run. */
export interface Information {
  readonly text: string;
}

export const MAX_SECONDS = 86_400;
export const MAX_STREAMS = 128;
export const MAX_LENGTH = 1024 * 1024;
/** As many as Dom0 offers. */
export const MAX_QUEUES = 8;
export const MAX_WINDOW = 16 * 1024 * 1024;
const MIN_MTU = 128;
const MAX_MTU = 65_521;
const MIN_MSS = 48;
const TCP_IP_HEADER_BYTES = 40;
const MAX_UINT32 = 0xffff_ffff;

/**
 * Reads the arguments that follow the command's name.
 * @returns the options of a run, or the text that was asked for.
 * @throws UsageError with one line that says what is wrong and how to mend it.
 */
export function parseOptions(args: readonly string[]): IperfOptions | Information {
  let text = '';
  const command = createCommand();
  command.exitOverride();
  command.configureOutput({ writeOut: (chunk) => (text += chunk), writeErr: () => {} });
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { text };
    throw new UsageError(oneLine(error.message));
  }
  const [extra] = command.args;
  if (extra !== undefined) throw new UsageError(`argument '${extra}' is not understood: see --help for the options`);
  return check(command.opts<RawOptions>(), (name) => command.getOptionValueSource(name) === 'cli');
}

function createCommand(): Command {
  const command = new Command('iperf');
  command
    .description('Measures TCP between two domains of an emulated Xen machine. Both ends run in this process.')
    .version(VERSION, '-v, --version', 'show the version and end')
    .helpOption('-h, --help', 'show this text and end')
    .showSuggestionAfterError(true)
    .allowExcessArguments(true)
    .option('-p, --port <n>', 'port of the server', '5001')
    .option('-t, --time <seconds>', 'time to transmit for, 0 until interrupted (default: 10)')
    .option('-n, --bytes <n[KMG]>', 'bytes to transmit, over all flows (instead of -t)')
    .option('-P, --parallel <n>', 'flows to run at the same time', '1')
    .option('-i, --interval <seconds>', 'seconds between reports, 0 for none', '1')
    .option('-R, --reverse', 'the server sends, the client receives')
    .option('--bidir', 'both send and receive')
    .option('-l, --length <n[KMG]>', 'bytes of one write', '128K')
    .option('-w, --window <n[KMG]>', 'size of the send and the receive buffer of a flow')
    .option('-M, --set-mss <n>', 'largest segment payload in bytes')
    .option('-C, --congestion <name>', 'congestion control: cubic, newreno (reno) or bbr', 'cubic')
    .addOption(noDelayOption())
    .option('-J, --json', 'print one JSON document, in the schema of iperf3')
    .option('-V, --verbose', 'print more')
    .option('--server-ip <address>', 'address of the server', '192.168.8.101')
    .option('--client-ip <address>', 'address of the client, in the same /24', '192.168.8.102')
    .option('--mtu <bytes>', 'largest IP packet', '1500')
    .option('--txqueuelen <packets>', 'packets that the bridge queues per port', '1000')
    .option('--delay <time>', 'delay of the link, each way (10ms, 250us, 1s; a bare number is ms)')
    .option('--loss <percent>', 'frames that the link loses, each way (0.1 or 0.1%)')
    .option('--rate <n[KMG]>', 'bits per second that the link carries, each way (virtual: 1G if not given)')
    .option('--seed <n>', 'seed of all chance: the same seed on virtual time gives the same trace', '1')
    .option('--machine <kind>', 'virtual CPUs: threads, cooperative or virtual (time)', 'threads')
    .option('-A, --affinity <cpus>', 'CPUs of the host that Dom0, server and client are kept to, as in 0,0,1')
    .option('--no-gso', 'no segmentation offload: every packet fits the MTU')
    .option('--no-csum-offload', 'checksums are computed and verified (no segmentation offload either)')
    .option('--no-offload', 'both')
    .option('--no-gro', 'received segments are not put together before TCP sees them')
    .option('--queues <n>', 'queues of each network device, by which flows are spread', '1')
    .option('--send <how>', 'the bytes to send: lend them where they lie, write (copied once), copy (twice)', 'lend')
    .option('--verify', 'check every byte that arrives against its pattern')
    .option('--audit', 'check for lost wake-ups at every sleep of a domain')
    .option(
      '--flow-log <file>',
      'FILE.qflow: both ends and the machine, streamed; FILE.log: the sender as text of 2013',
    )
    .option('--pcap <file>', 'write the frames at the bridge as pcapng')
    .option('--live [port]', 'serve a page on 127.0.0.1 that draws the flows while the run goes on');
  return command;
}

/** commander takes `--no-delay` for the negation of `--delay`; here they are two options. */
function noDelayOption(): Option {
  const option = new Option('-N, --no-delay', 'send at once what is written (no Nagle)');
  option.negate = false;
  option.attributeName = () => 'nodelay';
  return option;
}

interface RawOptions {
  readonly port: string;
  readonly time?: string;
  readonly bytes?: string;
  readonly parallel: string;
  readonly interval: string;
  readonly reverse?: boolean;
  readonly bidir?: boolean;
  readonly length: string;
  readonly window?: string;
  readonly setMss?: string;
  readonly congestion: string;
  readonly nodelay?: boolean;
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly serverIp: string;
  readonly clientIp: string;
  readonly mtu: string;
  readonly txqueuelen: string;
  readonly delay?: string;
  readonly loss?: string;
  readonly rate?: string;
  readonly seed: string;
  readonly machine: string;
  readonly affinity?: string;
  readonly gso: boolean;
  readonly gro: boolean;
  readonly queues: string;
  readonly csumOffload: boolean;
  readonly offload: boolean;
  readonly send: string;
  readonly verify?: boolean;
  readonly audit?: boolean;
  readonly flowLog?: string;
  readonly pcap?: string;
  readonly live?: string | true;
}

function check(raw: RawOptions, given: (name: string) => boolean): IperfOptions {
  if (raw.reverse && raw.bidir) throw new UsageError('--reverse and --bidir exclude each other: give one of them');
  if (given('time') && given('bytes')) throw new UsageError('-t and -n exclude each other: give one end of the test');
  const machine = oneOf('--machine', raw.machine, ['threads', 'cooperative', 'virtual'] as const);
  const seconds = raw.time === undefined ? 10 : decimal('-t/--time', raw.time, 0, MAX_SECONDS, 'seconds');
  if (seconds === 0 && machine === 'virtual' && raw.bytes === undefined) {
    throw new UsageError('-t 0 would never end on virtual time: give a time above 0, or -n');
  }
  const interval = decimal('-i/--interval', raw.interval, 0, 60, 'seconds');
  if (interval > 0 && interval < 0.1) {
    throw new UsageError(`-i/--interval ${raw.interval} is out of range: give 0.1..60 seconds, or 0 for no reports`);
  }
  const mtu = integer('--mtu', raw.mtu, MIN_MTU, MAX_MTU);
  const maxMss = mtu - TCP_IP_HEADER_BYTES;
  checkAddresses(raw.serverIp, raw.clientIp);
  return {
    serverIp: raw.serverIp,
    clientIp: raw.clientIp,
    port: integer('-p/--port', raw.port, 1, 65_535),
    seconds,
    bytes: raw.bytes === undefined ? 0 : size('-n/--bytes', raw.bytes, 1, Number.MAX_SAFE_INTEGER),
    parallel: integer('-P/--parallel', raw.parallel, 1, MAX_STREAMS),
    interval,
    direction: raw.bidir ? 'bidirectional' : raw.reverse ? 'reverse' : 'forward',
    length: size('-l/--length', raw.length, 1, MAX_LENGTH),
    window: raw.window === undefined ? 0 : size('-w/--window', raw.window, 1024, MAX_WINDOW),
    mss: raw.setMss === undefined ? 0 : integer('-M/--set-mss', raw.setMss, MIN_MSS, maxMss, ` at MTU ${mtu}`),
    congestion: congestion(raw.congestion),
    noDelay: raw.nodelay ?? false,
    json: raw.json ?? false,
    verbose: raw.verbose ?? false,
    mtu,
    txqueuelen: integer('--txqueuelen', raw.txqueuelen, 1, 1_000_000),
    delayUs: raw.delay === undefined ? 0 : delay('--delay', raw.delay),
    loss: raw.loss === undefined ? 0 : percent('--loss', raw.loss),
    rate: raw.rate === undefined ? 0 : rate('--rate', raw.rate),
    seed: integer('--seed', raw.seed, 0, MAX_UINT32),
    machine,
    affinity: raw.affinity === undefined ? undefined : affinity(raw.affinity, machine),
    checksumOffload: raw.offload && raw.csumOffload,
    gso: raw.offload && raw.csumOffload && raw.gso,
    gro: raw.gro,
    queues: integer('--queues', raw.queues, 1, MAX_QUEUES),
    send: oneOf('--send', raw.send, ['lend', 'write', 'copy'] as const),
    verify: raw.verify ?? false,
    audit: raw.audit ?? false,
    flowLog: raw.flowLog === undefined ? undefined : flowLogFile(raw.flowLog),
    pcap: raw.pcap,
    live: raw.live === undefined ? undefined : livePort(raw),
  };
}

function integer(name: string, text: string, least: number, most: number, where = ''): number {
  const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  return inRange(name, text, value, least, most, `a whole number in ${least}..${most}${where}`);
}

function decimal(name: string, text: string, least: number, most: number, unit: string): number {
  const value = /^(\d+(\.\d*)?|\.\d+)$/.test(text.trim()) ? Number(text) : Number.NaN;
  return inRange(name, text, value, least, most, `${least}..${most} ${unit}`);
}

function size(name: string, text: string, least: number, most: number): number {
  const limits = `${least}..${most} bytes (K, M and G are powers of 1024)`;
  return inRange(name, text, parseBytes(text), least, most, limits);
}

function rate(name: string, text: string): number {
  const limits = '1000..1000000000000 bits per second (K, M and G are powers of 1000)';
  return inRange(name, text, parseRate(text), 1000, 1e12, limits);
}

function delay(name: string, text: string): number {
  return inRange(name, text, parseDelayUs(text), 0, 60_000_000, 'a time up to 60s, as in 10ms, 250us or 1s');
}

function percent(name: string, text: string): number {
  return inRange(name, text, parsePercent(text), 0, 1, 'a percentage in 0..100');
}

function inRange(name: string, text: string, value: number, least: number, most: number, limits: string): number {
  if (Number.isNaN(value)) throw new UsageError(`${name} '${text}' is not understood: give ${limits}`);
  if (value < least || value > most) throw new UsageError(`${name} ${text} is out of range: give ${limits}`);
  return value;
}

function oneOf<T extends string>(name: string, text: string, words: readonly T[]): T {
  const word = words.find((candidate) => candidate === text);
  if (word === undefined) throw new UsageError(`${name} '${text}' is unknown: give ${words.join(', ')}`);
  return word;
}

function congestion(text: string): IperfOptions['congestion'] {
  const name = oneOf('-C/--congestion', text, ['cubic', 'newreno', 'reno', 'bbr'] as const);
  return name === 'reno' ? 'newreno' : name;
}

function affinity(text: string, machine: MachineKind): Affinity {
  const [dom0, server, client, ...more] = text
    .split(',')
    .map((cpu) => (/^\d{1,4}$/.test(cpu) ? Number(cpu) : undefined));
  if (dom0 === undefined || server === undefined || client === undefined || more.length > 0) {
    throw new UsageError(
      `-A/--affinity '${text}' is not understood: give CPUs for Dom0, server and client, as in 0,0,1`,
    );
  }
  if (machine !== 'threads') throw new UsageError(`-A/--affinity is for threads: --machine ${machine} has only one`);
  return { dom0, server, client };
}

function livePort({ live, flowLog, json }: RawOptions): number {
  if (flowLog !== undefined && !isTrace(flowLog)) {
    throw new UsageError(`--live and --flow-log ${flowLog} exclude each other: let the log end in .qflow`);
  }
  if (json) throw new UsageError('--live and --json exclude each other: the address of the page is printed');
  return typeof live === 'string' ? integer('--live', live, 0, 65_535) : 0;
}

function flowLogFile(path: string): string {
  if (path.endsWith('.log') || isTrace(path)) return path;
  throw new UsageError(
    `--flow-log '${path}': give a file name that ends in .qflow (everything) or .log (the text of 2013)`,
  );
}

/** commander's message without its prefix and on one line. */
function oneLine(message: string): string {
  const text = message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .trim();
  const end = /^unknown option '(-s|-c|--server|--client)'/.exec(text)?.[1];
  if (end !== undefined)
    return `${end} is not needed, for both ends run here: --server-ip and --client-ip set addresses`;
  return text.includes('Did you mean') ? text : `${text}: see --help for the options`;
}
