import type { Memory } from '@qanat/bytes';
import { type FrontRing, SRING_REQ_EVENT, SRING_REQ_PROD, SRING_RSP_EVENT, SRING_RSP_PROD } from '@qanat/xen';

/** The words of a ring at one instant, as free-running indices. */
export interface RingState {
  readonly reqProd: number;
  readonly reqEvent: number;
  readonly rspProd: number;
  readonly rspEvent: number;
  readonly rspCons: number;
  /** Slots that no request and no unread response occupies. */
  readonly free: number;
  /** Requests that the backend has not answered. */
  readonly outstanding: number;
  /** Responses that the frontend has not read. */
  readonly unread: number;
}

/** @returns the words of a ring, read without a lock: a peer that runs may move them meanwhile. */
export function ringState(memory: Memory, ring: FrontRing): RingState {
  const word = (offset: number): number => Atomics.load(memory.i32, (ring.addr + offset) >>> 2) >>> 0;
  const reqProd = word(SRING_REQ_PROD);
  const rspProd = word(SRING_RSP_PROD);
  return {
    reqProd,
    reqEvent: word(SRING_REQ_EVENT),
    rspProd,
    rspEvent: word(SRING_RSP_EVENT),
    rspCons: ring.rspCons,
    free: ring.freeRequests(),
    outstanding: (reqProd - rspProd) >>> 0,
    unread: (rspProd - ring.rspCons) >>> 0,
  };
}
