import type { Kernel } from '@qanat/os';

/** Rings and event channels of one queue. */
export interface QueueNodes {
  readonly txRingRef: number;
  readonly rxRingRef: number;
  /** Of the TX ring, and of the RX ring: one and the same unless they are split. */
  readonly eventChannel: number;
  readonly rxEventChannel: number;
}

/** What a frontend says in state 4, checked as far as it can be without trying. */
export interface FrontendNodes {
  /** At least one, and no two with a ring or a channel in common. */
  readonly queues: readonly QueueNodes[];
  readonly scatterGather: boolean;
  /** It takes frames with blank checksums. */
  readonly checksum: boolean;
  /** It takes super-segments of TCP over IPv4. */
  readonly gso: boolean;
  /** Its grants stay, and stay the same. */
  readonly persistent: boolean;
}

const QUEUE_KEYS = ['tx-ring-ref', 'rx-ring-ref', 'event-channel', 'event-channel-tx', 'event-channel-rx'];
const KEYS = [
  ...['multi-queue-num-queues', 'request-rx-copy', 'feature-sg', 'feature-rx-notify', 'feature-no-csum-offload'],
  ...['feature-gso-tcpv4', 'feature-persistent'],
];

type Done = (error: Error | undefined, nodes?: FrontendNodes) => void;

/**
 * Reads the nodes of a frontend's directory. Errors are the frontend's fault: it left out what must be there, or says what
 * cannot be.
 * @param maxQueues that were offered to it.
 */
export function readFrontend(kernel: Kernel, path: string, maxQueues: number, cb: Done): void {
  kernel.xenstore.readMany(
    KEYS.map((key) => `${path}/${key}`),
    (error, [numQueues, rxCopy, sg, rxNotify, noCsum, gso, persistent]) => {
      const queues = numQueues === undefined ? 1 : readInteger(numQueues);
      if (error !== undefined) {
        cb(error);
      } else if (rxCopy !== '1') {
        cb(new Error(`${path}: the frontend does not ask for copied packets (request-rx-copy)`));
      } else if (rxNotify !== '1') {
        cb(new Error(`${path}: the frontend does not tell of pages it posts (feature-rx-notify)`));
      } else if (queues < 1 || queues > maxQueues) {
        cb(
          new Error(
            `${path}: multi-queue-num-queues is ${JSON.stringify(numQueues?.slice(0, 20))}: it must be in 1..${maxQueues}`,
          ),
        );
      } else {
        const scatterGather = sg === '1';
        const checksum = noCsum !== '1';
        const features = {
          scatterGather,
          checksum,
          gso: scatterGather && checksum && gso === '1',
          persistent: persistent === '1',
        };
        readQueues(kernel, path, queues, features, cb);
      }
    },
  );
}

/** Reads the rings: those of one queue are in the directory itself, as if there were no queues. */
function readQueues(
  kernel: Kernel,
  path: string,
  count: number,
  features: Omit<FrontendNodes, 'queues'>,
  cb: Done,
): void {
  const paths = count === 1 ? [path] : Array.from({ length: count }, (_, i) => `${path}/queue-${i}`);
  kernel.xenstore.readMany(
    paths.flatMap((queue) => QUEUE_KEYS.map((key) => `${queue}/${key}`)),
    (error, values) => {
      if (error !== undefined) {
        cb(error);
        return;
      }
      const queues: QueueNodes[] = [];
      for (const [i, queuePath] of paths.entries()) {
        const queue = readQueue(values.slice(i * QUEUE_KEYS.length));
        if (queue === undefined) {
          cb(new Error(`${queuePath}: tx-ring-ref, rx-ring-ref or event-channel is missing or no number`));
          return;
        }
        queues.push(queue);
      }
      const fault = findShared(queues);
      if (fault === undefined) cb(undefined, { queues, ...features });
      else cb(new Error(`${path}: ${fault}`));
    },
  );
}

function readQueue(values: readonly (string | undefined)[]): QueueNodes | undefined {
  const [txRef, rxRef, channel, txChannel, rxChannel] = values;
  const txRingRef = readInteger(txRef);
  const rxRingRef = readInteger(rxRef);
  const split = [readInteger(txChannel), readInteger(rxChannel)] as const;
  const isSplit = split[0] >= 0 && split[1] >= 0;
  const [eventChannel, rxEventChannel] = isSplit ? split : [readInteger(channel), readInteger(channel)];
  if (txRingRef < 0 || rxRingRef < 0 || eventChannel < 0) return undefined;
  return { txRingRef, rxRingRef, eventChannel, rxEventChannel };
}

/** @returns what two rings have in common that each must have for itself, or undefined. */
function findShared(queues: readonly QueueNodes[]): string | undefined {
  const refs = new Set<number>();
  const channels = new Set<number>();
  for (const { txRingRef, rxRingRef, eventChannel, rxEventChannel } of queues) {
    for (const ref of [txRingRef, rxRingRef]) {
      if (refs.has(ref)) return `two rings have grant reference ${ref}`;
      refs.add(ref);
    }
    for (const channel of new Set([eventChannel, rxEventChannel])) {
      if (channels.has(channel)) return `two queues have event channel ${channel}`;
      channels.add(channel);
    }
  }
  return undefined;
}

/** @returns a decimal integer of 0..2^31-1, or -1. */
function readInteger(text: string | undefined): number {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return -1;
  const value = Number(text);
  return value <= 0x7fff_ffff ? value : -1;
}
