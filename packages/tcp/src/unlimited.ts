import type { CongestionControl } from './congestion-control.ts';

/** No congestion control: only the peer's window limits. For simulations that compare with stacks that have none. */
export class Unlimited implements CongestionControl {
  readonly name = 'none';

  start(s: { cwnd: number }): void {
    s.cwnd = 0x3fffffff;
  }
  onAck(s: { cwnd: number }): void {
    s.cwnd = 0x3fffffff;
  }
  onLoss(): number {
    return 0x3fffffff;
  }
  onTimeout(): void {}
  onIdle(): void {}
  onUndo(): void {}
}
