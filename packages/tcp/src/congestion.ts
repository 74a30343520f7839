import { Bbr } from './bbr.ts';
import type { TcpConfig } from './config.ts';
import type { CongestionControl, LostSegment } from './congestion-control.ts';
import type { Connection } from './connection.ts';
import { Cubic } from './cubic.ts';
import { NewReno } from './newreno.ts';
import { type LossListener, SEG_APP_LIMITED } from './retransmit-queue.ts';
import { Unlimited } from './unlimited.ts';

/** @returns a fresh instance of the configured algorithm. */
export function createCongestionControl(config: TcpConfig): CongestionControl {
  switch (config.congestion) {
    case 'newreno':
      return new NewReno();
    case 'bbr':
      return new Bbr();
    case 'none':
      return new Unlimited();
    default:
      return new Cubic(config.renoFriendly);
  }
}

/** Lets a congestion control that keeps a model see what it needs; others are not asked. */
export function joinModel(c: Connection): void {
  c.model = c.cc instanceof Bbr ? c.cc : undefined;
  c.rtx.lossListener = c.model === undefined ? undefined : new ModelLosses(c);
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Tells the model of each segment that is deemed lost. */
class ModelLosses implements LossListener {
  readonly #c: Connection;
  readonly #lost: Writable<LostSegment> = { flight: 0, lost: 0, appLimited: false, newRange: false };
  #end = 0;

  constructor(c: Connection) {
    this.#c = c;
  }

  segmentLost(index: number): void {
    const { rtx, model, tcp } = this.#c;
    const lost = this.#lost;
    lost.flight = rtx.flight[index]!;
    lost.lost = (rtx.lostTotal - rtx.lostBefore[index]!) | 0;
    lost.appLimited = (rtx.flags[index]! & SEG_APP_LIMITED) !== 0;
    lost.newRange = rtx.seq[index] !== this.#end;
    this.#end = rtx.endOf(index);
    model?.onSegmentLost(this.#c, lost, tcp.nowUs);
  }
}
