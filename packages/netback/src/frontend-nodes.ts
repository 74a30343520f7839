import type { Kernel } from '@qanat/os';

/** What a frontend says in state 4, checked as far as it can be without trying. */
export interface FrontendNodes {
  readonly txRingRef: number;
  readonly rxRingRef: number;
  /** Of the TX ring, and of the RX ring: one and the same unless they are split. */
  readonly eventChannel: number;
  readonly rxEventChannel: number;
  readonly scatterGather: boolean;
  /** It takes frames with blank checksums. */
  readonly checksum: boolean;
  /** It takes super-segments of TCP over IPv4. */
  readonly gso: boolean;
  /** Its grants stay, and stay the same. */
  readonly persistent: boolean;
}

const KEYS = [
  ...['tx-ring-ref', 'rx-ring-ref', 'event-channel', 'request-rx-copy', 'feature-sg', 'feature-rx-notify'],
  ...['feature-no-csum-offload', 'feature-gso-tcpv4', 'feature-persistent', 'event-channel-tx', 'event-channel-rx'],
];

/** Reads the nodes of a frontend's directory. Errors are the frontend's fault: it left out what must be there. */
export function readFrontend(
  kernel: Kernel,
  path: string,
  cb: (error: Error | undefined, nodes?: FrontendNodes) => void,
): void {
  kernel.xenstore.readMany(
    KEYS.map((key) => `${path}/${key}`),
    (error, values) => {
      if (error !== undefined) {
        cb(error);
        return;
      }
      const [txRef, rxRef, channel, rxCopy, sg, rxNotify, noCsum, gso, persistent, txChannel, rxChannel] = values;
      const txRingRef = readInteger(txRef);
      const rxRingRef = readInteger(rxRef);
      const split = [readInteger(txChannel), readInteger(rxChannel)] as const;
      const isSplit = split[0] >= 0 && split[1] >= 0;
      const [eventChannel, rxEventChannel] = isSplit ? split : [readInteger(channel), readInteger(channel)];
      if (txRingRef < 0 || rxRingRef < 0 || eventChannel < 0) {
        cb(new Error(`${path}: tx-ring-ref, rx-ring-ref or event-channel is missing or no number`));
      } else if (rxCopy !== '1') {
        cb(new Error(`${path}: the frontend does not ask for copied packets (request-rx-copy)`));
      } else if (rxNotify !== '1') {
        cb(new Error(`${path}: the frontend does not tell of pages it posts (feature-rx-notify)`));
      } else {
        const scatterGather = sg === '1';
        const checksum = noCsum !== '1';
        cb(undefined, {
          txRingRef,
          rxRingRef,
          eventChannel,
          rxEventChannel,
          scatterGather,
          checksum,
          gso: scatterGather && checksum && gso === '1',
          persistent: persistent === '1',
        });
      }
    },
  );
}

/** @returns a decimal integer of 0..2^31-1, or -1. */
function readInteger(text: string | undefined): number {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return -1;
  const value = Number(text);
  return value <= 0x7fff_ffff ? value : -1;
}
