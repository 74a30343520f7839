import { FlowLog, text2013Chunks } from '@qanat/flowlog';
import {
  createMachine,
  type DomainExit,
  type DomainHandle,
  hostCpus,
  type Image,
  type Machine,
  MachineError,
} from 'qanat';
import { checkAffinity } from './affinity.ts';
import * as clientImage from './images/client.ts';
import * as serverImage from './images/server.ts';
import type { LivePage } from './live.ts';
import { BRIDGE, planMachine } from './machine-plan.ts';
import type { IperfOptions } from './options.ts';
import { ProcessOutput, type RunOutput } from './output.ts';
import { flowLogPath, type OutputFile, openOutput, openStream } from './output-file.ts';
import { type DomainMessage, type DomainRole, type OffloadCounts, planStreams, type StreamPlan } from './protocol.ts';
import { jsonFailure, jsonReport } from './report-json.ts';
import { liveLine, TextReport } from './report-text.ts';
import { emptyResult, faults, type IperfResult, WHOLE_RUN } from './result.ts';
import { TraceFile } from './trace-file.ts';
import { isTrace } from './trace-option.ts';
import { UsageError } from './usage-error.ts';

const EXIT_OK = 0;
const EXIT_FAILED = 1;

/** A run that could not be completed; the message is for people. */
class RunFailure extends Error {}

/** One run of the command: builds the machine, lets it run, and reports. */
export class IperfRun {
  readonly #options: IperfOptions;
  readonly #output: RunOutput;
  readonly #images: Images;
  readonly #plans: readonly StreamPlan[];
  readonly #result: IperfResult;
  readonly #report: TextReport;
  readonly #flowLogs = new Map<number, OutputFile>();
  readonly #domains = new Map<DomainRole, DomainHandle>();
  readonly #ready = new Set<DomainRole>();
  readonly #ended = new Map<DomainRole, Extract<DomainMessage, { type: 'end' }>>();
  #pcap: OutputFile | undefined;
  #traceOutput: OutputFile | undefined;
  #trace: TraceFile | undefined;
  #live: LivePage | undefined;
  #machine: Machine | undefined;
  #failure: string | undefined;
  #bridgeStats: Promise<void> | undefined;

  /** @param images other images than iperf's own, for tests. */
  constructor(options: IperfOptions, output: RunOutput, images: Images = imagesFor(options)) {
    this.#options = options;
    this.#output = output;
    this.#images = images;
    this.#plans = planStreams(options.direction, options.parallel, options.bytes);
    this.#result = emptyResult(options, this.#plans, new Date());
    this.#report = new TextReport(this.#result);
  }

  /** Ends the run now; its summary follows. */
  interrupt(): void {
    this.#result.interrupted = true;
    for (const domain of this.#domains.values()) domain.post({ type: 'stop' });
  }

  /** Leaves no half-written file behind: for a process that is about to be killed. */
  discardFiles(): void {
    this.#pcap?.discard();
    for (const file of this.#flowLogs.values()) file.discard();
  }

  /** @returns the exit code. @throws UsageError for what the options alone did not tell. */
  async run(): Promise<number> {
    const { json } = this.#options;
    try {
      this.#openFiles();
      await this.#openLive();
      await this.#measure();
      if (json) this.#output.lines([JSON.stringify(jsonReport(this.#result), null, 2)]);
      else this.#output.lines(this.#report.summary());
      const found = faults(this.#result);
      for (const fault of found) this.#output.error(fault);
      return found.length === 0 ? EXIT_OK : EXIT_FAILED;
    } catch (error) {
      if (error instanceof UsageError) throw error;
      const message = error instanceof RunFailure ? error.message : ((error as Error).stack ?? String(error));
      this.#output.error(message);
      if (json) this.#output.lines([JSON.stringify(jsonFailure(this.#result, message), null, 2)]);
      return EXIT_FAILED;
    } finally {
      this.discardFiles();
      await this.#machine?.close();
      await this.#live?.close();
    }
  }

  #openFiles(): void {
    const { flowLog, pcap } = this.#options;
    if (pcap !== undefined && pcap === flowLog) {
      throw new UsageError(`--pcap and --flow-log both name ${pcap}: give each its own file`);
    }
    if (pcap !== undefined) this.#pcap = openOutput('--pcap', pcap);
    if (flowLog === undefined) return;
    if (isTrace(flowLog)) {
      this.#traceOutput = openStream('--flow-log', flowLog);
      return;
    }
    this.#plans.forEach(({ id }, index) => {
      this.#flowLogs.set(id, openOutput('--flow-log', flowLogPath(flowLog, index)));
    });
  }

  async #openLive(): Promise<void> {
    const { live } = this.#options;
    if (live === undefined) return;
    // Loaded only now: no other run needs what makes pages.
    const { LivePage } = await import('./live.ts');
    this.#live = await LivePage.open(live);
    this.#output.lines([`Live: ${this.#live.url}`]);
  }

  async #measure(): Promise<void> {
    const { affinity } = this.#options;
    if (affinity !== undefined) checkAffinity(affinity, hostCpus());
    const plan = planMachine(this.#options, this.#plans, this.#wantsLive);
    const machine = await build(plan.machine);
    this.#machine = machine;
    machine.onError = (message) => this.#fail(`Dom0: ${message}`);
    const endCapture = this.#startCapture(machine);
    const endTrace = this.#startTrace(machine);
    if (!this.#options.json) this.#output.lines(this.#report.opening());
    for (const role of ['server', 'client'] as const) {
      const domain = await machine.create({ ...plan[role], image: this.#images[role] });
      this.#domains.set(role, domain);
      domain.onMessage = (message) => this.#receive(role, message as DomainMessage);
    }
    const before = process.cpuUsage();
    const exits = await machine.run();
    // What led to a failure is in the log, too; of a domain that threw it lacks the end, and says so.
    if (exits.every(({ error }) => error === undefined)) await endTrace();
    this.#takeExits(exits);
    await this.#bridgeStats;
    await endCapture();
    this.#pcap?.commit();
    this.#takeCounters(machine, process.cpuUsage(before));
    this.#result.flowLogs.sort((a, b) => a.id - b.id);
  }

  get #wantsLive(): boolean {
    return this.#output.isTerminal && !this.#options.json && this.#options.machine !== 'virtual';
  }

  #startCapture(machine: Machine): () => Promise<unknown> {
    const file = this.#pcap;
    if (file === undefined) return async () => {};
    // On virtual time stamps begin at 0, so that a run repeats to the byte.
    const epochUs = this.#options.machine === 'virtual' ? 0 : Date.now() * 1000 - machine.clock.now();
    return machine.capture(BRIDGE, (chunk) => file.write(chunk), { application: 'Qanat iperf', epochUs });
  }

  /** Everything that happens to the flows, their domains and Dom0 goes into one file while it happens. */
  #startTrace(machine: Machine): () => Promise<void> {
    const file = this.#traceOutput;
    if (file === undefined && this.#live === undefined) return async () => {};
    const isVirtual = this.#options.machine === 'virtual';
    const trace = new TraceFile(
      file,
      this.#live,
      machine,
      isVirtual ? undefined : Date.now() * 1000 - machine.clock.now(),
    );
    this.#trace = trace;
    const endDom0 = machine.traceDom0((message) => trace.receive('Domain-0', message));
    return async () => {
      await endDom0();
      trace.end();
      const { path, rows: records, lost: overwritten } = trace;
      if (path === undefined) return;
      this.#result.flowLogs.push({ id: WHOLE_RUN, path, records, overwritten });
    };
  }

  #receive(role: DomainRole, message: DomainMessage): void {
    const result = this.#result;
    switch (message.type) {
      case 'ready':
        this.#ready.add(role);
        if (this.#ready.size === 2) this.#domains.get('client')!.post({ type: 'go' });
        break;
      case 'connected':
        if (role === 'server') break;
        result.connected = message.streams;
        this.#print(this.#report.connected(message.streams));
        break;
      case 'interval':
        (role === 'client' ? result.clientIntervals : result.serverIntervals).push(message.streams);
        if (role === 'client') this.#print(this.#report.interval(message.streams));
        break;
      case 'live':
        this.#output.live(liveLine(message.startUs, message.endUs, message.bytes));
        break;
      case 'flow-log':
        this.#writeFlowLog(message.id, new FlowLog(message.log));
        break;
      case 'trace':
        this.#trace?.receive(role, message.trace);
        break;
      case 'failed':
        this.#fail(`${role}: ${message.message}`);
        break;
      case 'end':
        this.#ended.set(role, message);
        if (this.#ended.size === 2) this.#bothEnded();
        break;
    }
  }

  #print(lines: readonly string[]): void {
    if (!this.#options.json) this.#output.lines(lines);
  }

  #fail(message: string): void {
    this.#failure ??= message;
    for (const domain of this.#domains.values()) domain.post({ type: 'exit' });
  }

  /** The ports of the bridge go with their domains: they are asked for their counts before. */
  #bothEnded(): void {
    const machine = this.#machine!;
    this.#bridgeStats = machine.bridges().then((bridges) => {
      this.#result.bridge = bridges
        .flatMap(({ ports }) => ports)
        .map(({ name, rxPackets, queueDrops, bufferDrops, otherDrops, impairment }) => ({
          port: name,
          forwarded: rxPackets,
          queueDrops: queueDrops + bufferDrops + otherDrops + (impairment?.queueDrops ?? 0),
          impairmentDrops: impairment?.lost ?? 0,
        }));
      for (const domain of this.#domains.values()) domain.post({ type: 'exit' });
    });
  }

  #takeExits(exits: readonly DomainExit[]): void {
    const thrown = exits.filter((exit) => exit.error !== undefined);
    if (thrown.length > 0) {
      throw new RunFailure(thrown.map(({ name, error }) => `domain ${name} threw: ${error!.stack}`).join('\n'));
    }
    if (this.#failure !== undefined) throw new RunFailure(this.#failure);
    for (const { name, code } of exits) {
      if (code !== 0) throw new RunFailure(`domain ${name} ended with code ${code}`);
    }
    if (this.#ended.size < 2) throw new RunFailure('a domain ended before it had reported');
  }

  #takeCounters(machine: Machine, cpu: NodeJS.CpuUsage): void {
    const result = this.#result;
    const client = this.#ended.get('client')!;
    const server = this.#ended.get('server')!;
    result.clientEnd = client.streams;
    result.serverEnd = server.streams;
    const total = cpu.user + cpu.system;
    result.cpu = {
      client: 100 * client.busyShare,
      server: 100 * server.busyShare,
      systemShare: total > 0 ? cpu.system / total : 0,
    };
    const ringFullWaits: Readonly<Record<string, number>> = {
      client: client.ringFullWaits,
      server: server.ringFullWaits,
    };
    const offloads: Readonly<Record<string, OffloadCounts>> = { client: client.offload, server: server.offload };
    const domids = new Map([...this.#domains.values()].map(({ name, domid }) => [name, domid]));
    result.domains = [...machine.stats()].map(([name, stats]) => ({
      name,
      domid: domids.get(name) ?? 0,
      loops: stats.loops,
      sleeps: stats.sleeps,
      blockedUs: stats.blockedUs,
      hypercalls: stats.hypercalls,
      events: stats.events,
      spuriousWakes: stats.spuriousWakes,
      ringFullWaits: ringFullWaits[name] ?? 0,
      offload: offloads[name],
    }));
  }

  #writeFlowLog(id: number, log: FlowLog): void {
    const file = this.#flowLogs.get(id);
    if (file === undefined) return;
    for (const chunk of text2013Chunks(log)) file.write(chunk);
    file.commit();
    this.#result.flowLogs.push({ id, path: file.path, records: log.count, overwritten: log.overwritten });
  }
}

/** @throws UsageError when the host cannot give what the machine needs. */
async function build(options: Parameters<typeof createMachine>[0]): Promise<Machine> {
  try {
    return await createMachine(options);
  } catch (error) {
    if (!(error instanceof MachineError) || error.code === 'ERR_DOM0_DOWN') throw error;
    throw new UsageError(error.message);
  }
}

/** What runs in the two domains. */
export type Images = Readonly<Record<DomainRole, URL | Image>>;

/** Threads load their images themselves. */
function imagesFor(options: IperfOptions): Images {
  if (options.machine !== 'threads') return { server: serverImage, client: clientImage };
  const suffix = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return {
    server: new URL(`./images/server.${suffix}`, import.meta.url),
    client: new URL(`./images/client.${suffix}`, import.meta.url),
  };
}

/** Runs as the command does: output to the process, the first Ctrl-C ends with the summary, the second kills. */
export async function runIperf(options: IperfOptions): Promise<number> {
  const run = new IperfRun(options, new ProcessOutput());
  let interrupts = 0;
  const onSignal = (): void => {
    if (interrupts++ === 0) {
      run.interrupt();
      return;
    }
    run.discardFiles();
    process.exit(130);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    return await run.run();
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
