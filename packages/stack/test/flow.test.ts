import { describe, expect, it } from 'vitest';
import type { Flow, NetError } from '../src/index.ts';
import { createPair, type Pair } from './pair.ts';

const SECOND = 1_000_000;

/** Byte `i` of the stream that the tests send. */
function pattern(i: number): number {
  return (i * 31 + (i >>> 8)) & 0xff;
}

/** Sends `bytes` of the pattern on a flow, as the flow has room, then FIN. */
function send(flow: Flow, bytes: number, chunk = 8192): void {
  let sent = 0;
  const buffer = new Uint8Array(chunk);
  const pump = () => {
    while (sent < bytes) {
      const want = Math.min(chunk, bytes - sent);
      for (let i = 0; i < want; i++) buffer[i] = pattern(sent + i);
      const taken = flow.write(buffer.subarray(0, want));
      sent += taken;
      if (taken < want) return;
    }
    flow.shutdown();
  };
  flow.onWritable = pump;
  pump();
}

/** Reads a flow to its end. @returns what came. */
function collect(flow: Flow): { bytes: number; wrongAt: number; ended: boolean; closed: boolean; error?: NetError } {
  const seen: ReturnType<typeof collect> = { bytes: 0, wrongAt: -1, ended: false, closed: false };
  const buffer = new Uint8Array(16384);
  flow.onReadable = () => {
    for (let n = flow.read(buffer); n > 0; n = flow.read(buffer)) {
      for (let i = 0; i < n; i++) {
        if (buffer[i] !== pattern(seen.bytes + i) && seen.wrongAt < 0) seen.wrongAt = seen.bytes + i;
      }
      seen.bytes += n;
    }
  };
  flow.onEnd = () => {
    seen.ended = true;
    flow.close();
  };
  flow.onClose = (error) => {
    seen.closed = true;
    if (error) seen.error = error;
  };
  return seen;
}

function transfer(pair: Pair, bytes: number, seconds = 60): { seen: ReturnType<typeof collect>; flow: Flow } {
  let seen: ReturnType<typeof collect> | undefined;
  pair.b.listen({ port: 5001, onFlow: (flow) => (seen = collect(flow)) });
  const flow = pair.a.connect({ host: pair.addressB, port: 5001 });
  flow.onConnect = () => send(flow, bytes);
  flow.onEnd = () => flow.close();
  pair.time.run(pair.time.clock.now() + seconds * SECOND);
  return { seen: seen!, flow };
}

describe('a flow between two stacks', () => {
  it('carries a stream and closes in order on a perfect link', () => {
    const pair = createPair();
    const { seen, flow } = transfer(pair, 10_000_000, 30);
    expect(seen).toMatchObject({ bytes: 10_000_000, wrongAt: -1, ended: true, closed: true });
    expect(flow.state).toBe('TIME-WAIT');
    expect(pair.a.stats().RetransSegs).toBe(0);
  });

  it('repairs random loss, reordering and duplication', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const pair = createPair({
        impair: {
          seed,
          lossRate: 0.02,
          delayUs: 5_000,
          jitterUs: 1_000,
          duplicateRate: 0.01,
          reorderRate: 0.01,
          corruptRate: 0.005,
        },
      });
      const { seen } = transfer(pair, 300_000, 600);
      expect(seen, `seed ${seed}`).toMatchObject({ bytes: 300_000, wrongAt: -1, ended: true, closed: true });
      expect(pair.a.stats().RetransSegs).toBeGreaterThan(0);
    }
  });

  it('works without SACK, timestamps and window scaling', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const pair = createPair(
        { impair: { seed, lossRate: 0.03, delayUs: 3_000 } },
        { tcp: { sack: false, timestamps: false, windowScaling: false, congestion: 'newreno' } },
      );
      const { seen } = transfer(pair, 200_000, 600);
      expect(seen, `seed ${seed}`).toMatchObject({ bytes: 200_000, wrongAt: -1, ended: true, closed: true });
    }
  });

  it('works with tiny buffers', () => {
    for (const size of [128, 512, 1000, 3000]) {
      const pair = createPair(
        { impair: { seed: 3, lossRate: 0.01, delayUs: 1_000 } },
        { tcp: { sndBuf: size, rcvBuf: size } },
      );
      const { seen } = transfer(pair, 20_000, 3600);
      expect(seen, `buffers of ${size}`).toMatchObject({ bytes: 20_000, wrongAt: -1, ended: true, closed: true });
    }
  });

  it('refuses a connection to a port where nobody listens', () => {
    const pair = createPair();
    let error: NetError | undefined;
    const flow = pair.a.connect({ host: pair.addressB, port: 9 });
    flow.onClose = (e) => (error = e);
    pair.time.run(SECOND);
    expect(error).toMatchObject({
      code: 'ECONNREFUSED',
      errno: -111,
      syscall: 'connect',
      address: '10.0.0.2',
      port: 9,
    });
  });

  it('reports a host that does not answer', () => {
    const pair = createPair();
    let error: NetError | undefined;
    const flow = pair.a.connect({ host: '10.0.0.77', port: 9 });
    flow.onClose = (e) => (error = e);
    pair.time.run(20 * SECOND);
    expect(error?.code).toBe('EHOSTUNREACH');
  });
});
