import type { Packet } from '@qanat/bytes';
import { Fabric, type FabricOptions } from './fabric.ts';
import { FabricPort } from './fabric-port.ts';
import type { Impairment } from './impairment.ts';
import { createImpairment, IMPAIRED_RING_FRAMES, linkMac, RING_FRAMES, type SeededImpairment } from './link-options.ts';
import type { Netif } from './netif.ts';

export interface PipeOptions extends FabricOptions {
  /** Names of the two ends. Default `pipe0`, `pipe1`. */
  readonly names?: readonly [string, string];
  /** MACs of the two ends, six bytes each. Default 02:00:00:00:00:01 and :02. */
  readonly macs?: readonly [Uint8Array, Uint8Array];
  /**
   * Both directions alike, or [from the first end to the second, from the second to the first]; an Impairment of one's
   * own can be changed while the link runs.
   */
  readonly impair?:
    | SeededImpairment
    | readonly [SeededImpairment | Impairment | undefined, SeededImpairment | Impairment | undefined];
  /**
   * Most frames that an end may have on the way; then `allocate` returns null. Default 256; with an impairment 4096,
   * taken from `pages` as needed.
   */
  readonly ringFrames?: number;
}

class Pipe extends Fabric {
  constructor(options: FabricOptions, ringFrames: number) {
    super(options, 2 * ringFrames, 2 * ringFrames);
  }

  override forward(from: FabricPort, packet: Packet, nowUs: number): void {
    this.ports[1 - from.index]!.accept(packet, nowUs);
  }
}

/**
 * A cable between two devices in one memory. A frame is handed over without a copy; its buffer goes back to the
 * sender's ring when the receiver's `receive` returns. Delivery comes from the timer queue, never from within
 * `transmit` or `flush`.
 * @returns the two ends.
 * @throws RangeError for impossible options. @throws Error when `pages` has no room.
 */
export function createPipe(options: PipeOptions): [Netif, Netif] {
  const { impair, names = ['pipe0', 'pipe1'] } = options;
  const macs = options.macs ?? [linkMac(0), linkMac(1)];
  const forth = impair === undefined || 'length' in impair ? impair?.[0] : impair;
  const back = impair === undefined || 'length' in impair ? impair?.[1] : impair;
  const ringFrames = options.ringFrames ?? (impair === undefined ? RING_FRAMES : IMPAIRED_RING_FRAMES);
  if (!(Number.isInteger(ringFrames) && ringFrames >= 1 && ringFrames <= 0x1_0000)) {
    throw new RangeError(`a ring of ${ringFrames} frames: it must be an integer in 1..65536`);
  }
  const pipe = new Pipe(options, ringFrames);
  for (let i = 0; i < 2; i++) {
    // An end has the impairment of the frames that come out of it.
    const impairment = i === 0 ? createImpairment(back, 1) : createImpairment(forth, 0);
    const port = { name: names[i]!, mac: macs[i]!, ringFrames, queueFrames: ringFrames, impairment };
    pipe.ports.push(new FabricPort(pipe, i, port));
  }
  return [pipe.ports[0]!, pipe.ports[1]!];
}
