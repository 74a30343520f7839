import { seededRandom } from '@qanat/clock';
import { Impairment } from '@qanat/link';
import { describe, expect, it } from 'vitest';
import type { Flow } from '../src/index.ts';
import { createPair } from './pair.ts';

const SECOND = 1_000_000;

/** What `pnpm sim` has found, each made as small as it gets and named after its cause. */
describe('found by simulation', () => {
  it('a shutdown before the connection is established sends its FIN once it is', () => {
    const pair = createPair();
    let ended = false;
    pair.b.listen({
      port: 1,
      onFlow: (flow) => {
        flow.onEnd = () => {
          ended = true;
          flow.close();
        };
      },
    });
    const flow = pair.a.connect({ host: pair.addressB, port: 1 });
    flow.shutdown();
    flow.onEnd = () => flow.close();
    pair.time.run(SECOND);
    expect(ended).toBe(true);
    expect(flow.state).toBe('TIME-WAIT');
    pair.time.run();
    expect(pair.a.tcp.connectionCount + pair.b.tcp.connectionCount).toBe(0);
  });

  it('no callback comes from within a call of the user', () => {
    const pair = createPair();
    let peer: Flow | undefined;
    pair.b.listen({ port: 1, onFlow: (flow) => (peer = flow) });
    const flow = pair.a.connect({ host: pair.addressB, port: 1 });
    pair.time.run(SECOND);
    const told: string[] = [];
    flow.onClose = () => told.push('a');
    peer!.onClose = () => told.push('b');
    flow.reset();
    expect(told).toEqual([]);
    pair.time.run();
    expect(told).toEqual(['a', 'b']);
  });

  it('a buffer larger than the window field can say causes no window update for each read', () => {
    const pair = createPair({}, { tcp: { windowScaling: false } });
    let peer: Flow | undefined;
    pair.b.listen({ port: 1, onFlow: (flow) => (peer = flow) });
    const flow = pair.a.connect({ host: pair.addressB, port: 1 });
    flow.onConnect = () => flow.write(new Uint8Array(60_000));
    pair.time.run(SECOND);
    const before = pair.b.stats().OutSegs;
    const buffer = new Uint8Array(50);
    for (let i = 0; i < 1000; i++) peer!.read(buffer);
    expect(peer!.readable).toBe(10_000);
    // 50 000 bytes of growth are worth an update per two segments.
    expect(pair.b.stats().OutSegs - before).toBeLessThan(50_000 / 2896 + 1);
  });

  it('a window that is rounded up to its unit does not creep past the buffer', () => {
    const pair = createPair({ impair: { rateBitsPerSecond: 1e7 } }, { tcp: { rcvBuf: 200_000, mss: 113 } });
    let peer: Flow | undefined;
    pair.b.listen({ port: 1, onFlow: (flow) => (peer = flow) });
    const flow = pair.a.connect({ host: pair.addressB, port: 1 });
    // Segments of 101 bytes: each leaves a rest of the window's unit of four.
    const pump = (): number => flow.write(new Uint8Array(400_000));
    flow.onConnect = pump;
    flow.onWritable = pump;
    pair.time.run(20 * SECOND);
    expect(peer!.readable).toBeGreaterThan(199_000);
    expect(peer!.readable).toBeLessThan(200_004);
  });

  it('a close long after the last segment waits in FIN-WAIT-2 from then on, not from that segment', () => {
    const pair = createPair();
    pair.b.listen({ port: 1, onFlow: () => {} });
    const flow = pair.a.connect({ host: pair.addressB, port: 1 });
    flow.onConnect = () => flow.shutdown();
    pair.time.run(100 * SECOND);
    expect(flow.state).toBe('FIN-WAIT-2');
    flow.close();
    pair.time.run(159 * SECOND);
    expect(flow.state).toBe('FIN-WAIT-2');
    pair.time.run(161 * SECOND);
    expect(flow.state).toBe('CLOSED');
  });

  it('a reset long after the last segment asks ARP by the time of the call, and leaves no timer when the stack closes', () => {
    const pair = createPair();
    pair.b.listen({ port: 1, onFlow: () => {} });
    const flow = pair.a.connect({ host: pair.addressB, port: 1 });
    pair.time.run(200 * SECOND);
    flow.reset();
    // Neither asks at once for what it could wait to be told.
    pair.time.run(200 * SECOND);
    pair.a.close();
    pair.b.close();
    expect(pair.time.timers.size).toBe(0);
  });

  it('what waited for its neighbour, and then for room in the device, is not passed by younger segments', () => {
    const back = new Impairment({ down: true }, seededRandom(1));
    const pair = createPair({ ringFrames: 2, impair: [undefined, back] });
    const accepted: Flow[] = [];
    pair.b.listen({
      port: 1,
      onFlow: (flow) => {
        accepted.push(flow);
        flow.onEnd = () => flow.close();
      },
    });
    const flows = Array.from({ length: 4 }, () => pair.a.connect({ host: pair.addressB, port: 1 }));
    for (const flow of flows) flow.shutdown();
    // Each SYN is sent again before ARP has its answer: the second one comes right after the first, not after the FIN.
    pair.time.run(SECOND / 2);
    back.change({});
    pair.time.run(5 * SECOND);
    expect(accepted).toHaveLength(flows.length);
    expect(flows.map(({ state }) => state)).toEqual(flows.map(() => 'TIME-WAIT'));
    expect(pair.a.stats().OutRsts + pair.b.stats().OutRsts).toBe(0);
  });
});
