/** What the machine of a test looks like: memory, domains, link. */
import type { DomainConfig, MachineOptions, VifConfig } from 'qanat';
import { PREFIX_BITS } from './addresses.ts';
import type { IperfOptions } from './options.ts';
import { PATTERN_PERIOD } from './pattern.ts';
import type { DomainRole, StreamPlan, TrafficArgs } from './protocol.ts';
import { isTrace } from './trace-option.ts';
import { UsageError } from './usage-error.ts';

export const BRIDGE = 'xenbr0';

/** On virtual time a link without a rate would carry everything at one instant. */
export const VIRTUAL_RATE = 1e9;

const MIB = 1 << 20;
const PAGE_BYTES = 4096;
/** TCP's default for both buffers of a flow. */
const DEFAULT_WINDOW = MIB;
/** As large as Linux lets a send buffer grow [tcp_wmem], for each of a few flows. */
const GSO_WINDOW = 4 * MIB;
const GSO_WINDOW_TOTAL = 16 * MIB;
/** For the pattern, or for the buffer of a flow or two. */
const LENT_PAGES = 2048;
/** Rings, their buffers, tables: what a domain needs before its first flow. */
const DOMAIN_BASE_MIB = 32;
/** Of each queue beyond the first: two rings' pages. */
const QUEUE_MIB = 4;
const DOM0_BASE_MIB = 64;
const MACHINE_BASE_MIB = 16;
const MAX_MACHINE_MIB = 2047;
/** 64 MiB a log; what is older gives way, and is counted. */
const FLOW_LOG_RECORDS = 1 << 20;
/** A terminal shows something new this often. */
const LIVE_US = 250_000;
/** Who looks on sees what happened at most so long ago. */
const TRACE_FLUSH_US = 100_000;

export interface MachinePlan {
  readonly machine: MachineOptions;
  readonly server: Omit<DomainConfig, 'image'>;
  readonly client: Omit<DomainConfig, 'image'>;
}

/**
 * @param live whether the client shall report for a live line.
 * @throws UsageError when the test needs more memory than a machine can have.
 */
export function planMachine(options: IperfOptions, streams: readonly StreamPlan[], live: boolean): MachinePlan {
  const window = options.window || defaultWindow(options, streams.length);
  // Both buffers of each flow, and half as much again for what comes in pages and powers of two.
  const buffers = streams.length * 2 * window * 1.5;
  const queuesMiB = QUEUE_MIB * (options.queues - 1);
  const domainMiB = DOMAIN_BASE_MIB + queuesMiB + Math.ceil((buffers + PATTERN_PERIOD + options.length) / MIB);
  const dom0MiB = DOM0_BASE_MIB + Math.ceil(queueBytes(options) / MIB);
  const memoryMiB = MACHINE_BASE_MIB + dom0MiB + 2 * domainMiB;
  if (memoryMiB > MAX_MACHINE_MIB) {
    const flows = `${streams.length} flows with buffers of ${window} bytes and queues of ${options.txqueuelen} packets`;
    throw new UsageError(
      `${flows} need ${memoryMiB} MiB, a machine has at most ${MAX_MACHINE_MIB}: lower -P, -w or --txqueuelen`,
    );
  }
  return {
    machine: {
      cpus: options.machine,
      memoryMiB,
      dom0MemoryMiB: dom0MiB,
      dom0Affinity: options.affinity?.dom0,
      seed: options.seed,
      audit: options.audit,
    },
    server: domain('server', options, streams, window, domainMiB, false),
    client: domain('client', options, streams, window, domainMiB, live),
  };
}

/** With super-segments a few wake-ups' worth of data is more than TCP's default; many flows share it. */
function defaultWindow(options: IperfOptions, flows: number): number {
  // Links that are impaired carry segments, and what fills their queues is not to be multiplied.
  if (!options.gso || isImpaired(options)) return DEFAULT_WINDOW;
  return Math.min(Math.max(Math.floor(GSO_WINDOW_TOTAL / flows), DEFAULT_WINDOW), GSO_WINDOW);
}

/** Packets that may wait in Dom0 at once, in whole pages: those of both ports' queues and those on the links. */
function queueBytes(options: IperfOptions): number {
  const packetBytes = Math.ceil((options.mtu + 14) / PAGE_BYTES) * PAGE_BYTES;
  const underWay = options.rate > 0 ? (options.rate / 8) * (options.delayUs / 1e6) : 0;
  return 2 * (2 * options.txqueuelen * packetBytes + underWay * (packetBytes / options.mtu));
}

function domain(
  role: DomainRole,
  options: IperfOptions,
  streams: readonly StreamPlan[],
  window: number,
  memoryMiB: number,
  live: boolean,
): Omit<DomainConfig, 'image'> {
  const args: TrafficArgs = {
    role,
    serverIp: options.serverIp,
    port: options.port,
    streams,
    durationUs: options.bytes > 0 ? 0 : Math.round(options.seconds * 1e6),
    intervalUs: Math.round(options.interval * 1e6),
    liveUs: live ? LIVE_US : 0,
    length: options.length,
    seed: options.seed,
    lend: options.send === 'lend',
    verify: options.verify,
    flowLogRecords: options.flowLog === undefined || isTrace(options.flowLog) ? 0 : FLOW_LOG_RECORDS,
    trace: options.live !== undefined || (options.flowLog !== undefined && isTrace(options.flowLog)),
    traceFlushUs: options.live === undefined ? 0 : TRACE_FLUSH_US,
    netfront: {
      checksumOffload: options.checksumOffload,
      gso: options.gso,
      gro: options.gro,
      queues: options.queues,
      lentPages: options.send === 'copy' ? 0 : LENT_PAGES,
    },
    tcp: {
      congestion: options.congestion,
      noDelay: options.noDelay,
      ...(window !== DEFAULT_WINDOW ? { sndBuf: window, rcvBuf: window } : {}),
      ...(options.mss > 0 ? { mss: options.mss } : {}),
    },
  };
  return { name: role, memoryMiB, affinity: options.affinity?.[role], vifs: [vif(role, options)], args };
}

function vif(role: DomainRole, options: IperfOptions): VifConfig {
  const { mtu, txqueuelen, delayUs, loss, seed } = options;
  const rate = rateOf(options);
  const ip = `${role === 'server' ? options.serverIp : options.clientIp}/${PREFIX_BITS}`;
  return {
    bridge: BRIDGE,
    ip,
    mtu,
    txqueuelen,
    ...(isImpaired(options)
      ? {
          impair: {
            seed: seed * 2 + (role === 'server' ? 0 : 1),
            ...(delayUs > 0 ? { delayUs } : {}),
            ...(loss > 0 ? { lossRate: loss } : {}),
            ...(rate > 0 ? { rateBitsPerSecond: rate, queuePackets: txqueuelen } : {}),
          },
        }
      : {}),
  };
}

function isImpaired(options: IperfOptions): boolean {
  return options.delayUs > 0 || options.loss > 0 || rateOf(options) > 0;
}

function rateOf({ rate, machine }: IperfOptions): number {
  return rate > 0 || machine !== 'virtual' ? rate : VIRTUAL_RATE;
}
