import { ETH_HEADER_BYTES, isStation, macHi, macLo, parseMac, randomMac } from '@qanat/ethernet';
import type { Kernel } from '@qanat/os';
import { XEN_NETIF_MAX_TX_SIZE } from '@qanat/xen';
import { DEFAULT_MTU, MIN_MTU, type NetfrontConfig } from './config.ts';
import type { Connection } from './connection.ts';
import type { QueueConnection } from './queue-connection.ts';

/** What the nodes of a vif and of its backend say. */
export interface VifNodes {
  readonly mac: Uint8Array;
  readonly mtu: number;
  /** `feature-sg`: the backend takes packets of several slots. */
  readonly scatterGather: boolean;
  /** The backend takes blank checksums, and we want to send them. */
  readonly txChecksum: boolean;
  /** `feature-gso-tcpv4`: the backend takes super-segments, and we want to send them. */
  readonly txGso: boolean;
  /** Each ring shall have an event channel of its own, and the backend can. */
  readonly splitEventChannels: boolean;
  /** `multi-queue-max-queues`: the backend knows of queues. */
  readonly multiQueue: boolean;
  /** Queues that we want and the backend takes. */
  readonly queues: number;
}

/** Longest frame that fits in one slot where we put it. */
const ONE_SLOT_MTU = 4096 - 2 - ETH_HEADER_BYTES;

/**
 * Reads the nodes of a vif. A MAC that is missing or bad is replaced by a random local one, an MTU by 1500.
 * @param path of the vif. @param backend of its backend.
 */
export function readVif(
  kernel: Kernel,
  path: string,
  backend: string,
  config: NetfrontConfig,
  cb: (error: Error | undefined, nodes?: VifNodes) => void,
): void {
  const backendKeys = [
    'feature-rx-copy',
    'feature-sg',
    'feature-no-csum-offload',
    'feature-gso-tcpv4',
    'feature-split-event-channels',
    'multi-queue-max-queues',
  ];
  const paths = [`${path}/mac`, `${path}/mtu`, ...backendKeys.map((key) => `${backend}/${key}`)];
  kernel.xenstore.readMany(paths, (error, [macText, mtuText, rxCopy, sg, noCsum, gso, split, maxQueues]) => {
    if (error !== undefined) {
      cb(error);
    } else if (rxCopy !== '1') {
      cb(new Error(`${backend} does not copy received packets (feature-rx-copy), and we cannot flip pages`));
    } else {
      const scatterGather = sg === '1';
      const mtu = readMtu(mtuText);
      const txChecksum = config.checksumOffload && noCsum !== '1';
      cb(undefined, {
        mac: readMac(macText, kernel),
        mtu: scatterGather ? mtu : Math.min(mtu, ONE_SLOT_MTU),
        scatterGather,
        txChecksum,
        txGso: config.gso && txChecksum && scatterGather && gso === '1',
        splitEventChannels: config.splitEventChannels && split === '1',
        multiQueue: maxQueues !== undefined,
        queues: Math.min(config.queues, readMaxQueues(maxQueues)),
      });
    }
  });
}

function readMac(text: string | undefined, kernel: Kernel): Uint8Array {
  try {
    const mac = parseMac(text ?? '');
    if (isStation(macHi(mac), macLo(mac))) return mac;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return randomMac(kernel.random);
}

function readMtu(text: string | undefined): number {
  const mtu = Number(text ?? DEFAULT_MTU);
  if (!Number.isInteger(mtu)) return DEFAULT_MTU;
  return Math.min(Math.max(mtu, MIN_MTU), XEN_NETIF_MAX_TX_SIZE - ETH_HEADER_BYTES);
}

/** @returns how many queues the backend takes: one where it says nothing that makes sense. */
function readMaxQueues(text = ''): number {
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : 1;
}

/** Whether super-segments may come: their checksums are blank. */
export function receivesGso(config: NetfrontConfig): boolean {
  return config.gso && config.checksumOffload;
}

/** Tells the backend where our rings are and what we can do, in one transaction. The state is the caller's business. */
export function writeConnection(
  kernel: Kernel,
  path: string,
  connection: Connection,
  config: NetfrontConfig,
  { multiQueue }: VifNodes,
  cb: (error: Error | undefined) => void,
): void {
  const { queues } = connection;
  // What another connection may have left is written over, also for a backend that does not know the node.
  const isMulti = multiQueue || config.queues > 1;
  kernel.xenstore.transaction((tx) => {
    // One queue stands where it stood before there were queues (netif.h).
    if (queues.length === 1) tx.writeAll(path, queueNodes(queues[0]!, config));
    else for (const [i, queue] of queues.entries()) tx.writeAll(`${path}/queue-${i}`, queueNodes(queue, config));
    tx.writeAll(path, {
      ...(isMulti ? { 'multi-queue-num-queues': queues.length } : {}),
      'request-rx-copy': 1,
      'feature-rx-notify': 1,
      'feature-sg': 1,
      'feature-rx-flip': 0,
      'feature-smart-poll': 0,
      // What we can receive, not what we send.
      'feature-gso-tcpv4': receivesGso(config) ? 1 : 0,
      'feature-gso-tcpv6': 0,
      'feature-persistent': config.persistentGrants ? 1 : 0,
      'feature-no-csum-offload': config.checksumOffload ? 0 : 1,
    });
  }, cb);
}

function queueNodes(queue: QueueConnection, config: NetfrontConfig): Record<string, string | number> {
  const { txRingRef, rxRingRef } = queue;
  return { 'tx-ring-ref': txRingRef, 'rx-ring-ref': rxRingRef, ...eventChannels(queue, config) };
}

/** What another connection may have left is blanked. */
function eventChannels({ port, rxPort }: QueueConnection, config: NetfrontConfig): Record<string, string | number> {
  if (!config.splitEventChannels) return { 'event-channel': port };
  if (port === rxPort) return { 'event-channel': port, 'event-channel-tx': '', 'event-channel-rx': '' };
  return { 'event-channel': '', 'event-channel-tx': port, 'event-channel-rx': rxPort };
}
