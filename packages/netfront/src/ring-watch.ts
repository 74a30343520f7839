import { WATCHED_RX, WATCHED_TX, type Watched } from '@qanat/os';
import type { FrontRing } from '@qanat/xen';

/** What a queue says of itself to an observer. */
export interface RingWatch {
  readonly watched: Watched;
  /** The event channel of both rings. */
  readonly port: number;
  /** vif << 8 | queue. */
  readonly number: number;
}

/** Requests of the TX ring were published: says how many are in use. */
export function watchTxPush(watch: RingWatch, ring: FrontRing, notified: boolean): void {
  const { observer } = watch.watched;
  observer?.pushed(WATCHED_TX, ring.entries - ring.freeRequests(), watch.number);
  observer?.notified(watch.port, notified);
}

/** Responses of the TX ring were taken: says how many requests are still in use. */
export function watchTxReap(watch: RingWatch, ring: FrontRing): void {
  watch.watched.observer?.reaped(WATCHED_TX, ring.entries - ring.freeRequests(), watch.number);
}

/** Pages were posted: says how many are and are not filled yet. */
export function watchRxPush(watch: RingWatch, ring: FrontRing, notified: boolean): void {
  const { observer } = watch.watched;
  observer?.pushed(WATCHED_RX, (ring.reqProdPvt - ring.rspProd) | 0, watch.number);
  observer?.notified(watch.port, notified);
}

/** Packets are taken off the RX ring: says how many posted pages are not filled yet. */
export function watchRxReap(watch: RingWatch, unfilled: number): void {
  watch.watched.observer?.reaped(WATCHED_RX, unfilled, watch.number);
}
