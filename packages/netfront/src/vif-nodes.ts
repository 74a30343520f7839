import { ETH_HEADER_BYTES, isStation, macHi, macLo, parseMac, randomMac } from '@qanat/ethernet';
import type { Kernel } from '@qanat/os';
import { XEN_NETIF_MAX_TX_SIZE } from '@qanat/xen';
import { DEFAULT_MTU, MIN_MTU } from './config.ts';
import type { Connection } from './connection.ts';

/** What the nodes of a vif and of its backend say. */
export interface VifNodes {
  readonly mac: Uint8Array;
  readonly mtu: number;
  /** `feature-sg`: the backend takes packets of several slots. */
  readonly scatterGather: boolean;
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
  cb: (error: Error | undefined, nodes?: VifNodes) => void,
): void {
  const paths = [`${backend}/feature-rx-copy`, `${backend}/feature-sg`, `${path}/mac`, `${path}/mtu`];
  kernel.xenstore.readMany(paths, (error, [rxCopy, sg, macText, mtuText]) => {
    if (error !== undefined) {
      cb(error);
    } else if (rxCopy !== '1') {
      cb(new Error(`${backend} does not copy received packets (feature-rx-copy), and we cannot flip pages`));
    } else {
      const scatterGather = sg === '1';
      const mtu = readMtu(mtuText);
      cb(undefined, {
        mac: readMac(macText, kernel),
        mtu: scatterGather ? mtu : Math.min(mtu, ONE_SLOT_MTU),
        scatterGather,
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

/** Tells the backend where our rings are and what we can do, in one transaction. The state is the caller's business. */
export function writeConnection(
  kernel: Kernel,
  path: string,
  connection: Connection,
  cb: (error: Error | undefined) => void,
): void {
  kernel.xenstore.transaction((tx) => {
    tx.writeAll(path, {
      'tx-ring-ref': connection.txRingRef,
      'rx-ring-ref': connection.rxRingRef,
      'event-channel': connection.port,
      'request-rx-copy': 1,
      'feature-rx-notify': 1,
      'feature-sg': 1,
      'feature-rx-flip': 0,
      'feature-smart-poll': 0,
      // What we could receive, not what we send: no super-segments, no blank checksums.
      'feature-gso-tcpv4': 0,
      'feature-gso-tcpv6': 0,
      'feature-no-csum-offload': 1,
    });
  }, cb);
}
