import { describe, expect, it } from 'vitest';
import { type Flow, NetError } from '../src/index.ts';
import { createPair, type Pair } from './pair.ts';

const SECOND = 1_000_000;
const RTT_US = 40_000;

interface Exchange {
  readonly flow: Flow;
  /** When the answer was complete, counted from the call of connect. */
  answerUs: number;
  answer: string;
  closed: boolean;
  error?: NetError;
}

/** A server that answers each request of one line, and closes. */
function serve({ b, time }: Pair): { requests: string[]; times: number[] } {
  const seen = { requests: [] as string[], times: [] as number[] };
  b.listen({
    port: 80,
    tcp: { fastOpenServer: true },
    onFlow: (flow) => {
      let text = '';
      const buffer = new Uint8Array(4096);
      flow.onReadable = () => {
        text += Buffer.from(buffer.subarray(0, flow.read(buffer))).toString();
        if (!text.endsWith('\n')) return;
        seen.requests.push(text);
        seen.times.push(time.clock.now());
        flow.write(Buffer.from(`answer to ${text}`));
        flow.close();
      };
    },
  });
  return seen;
}

function request({ a, addressB, time }: Pair, text: string): Exchange {
  const startUs = time.clock.now();
  const flow = a.connect({ host: addressB, port: 80, fastOpenData: Buffer.from(text) });
  const exchange: Exchange = { flow, answerUs: 0, answer: '', closed: false };
  const buffer = new Uint8Array(4096);
  flow.onReadable = () => {
    exchange.answer += Buffer.from(buffer.subarray(0, flow.read(buffer))).toString();
    exchange.answerUs = time.clock.now() - startUs;
  };
  flow.onEnd = () => flow.close();
  flow.onClose = (error) => {
    exchange.closed = true;
    if (error) exchange.error = error;
  };
  return exchange;
}

describe('Fast Open between two hosts', () => {
  it('saves a round trip from the second connection on', () => {
    const pair = createPair({ impair: { delayUs: RTT_US / 2 } });
    const seen = serve(pair);
    pair.time.run(SECOND);
    const first = request(pair, 'one\n');
    pair.time.run(10 * SECOND);
    expect(first).toMatchObject({ answer: 'answer to one\n', closed: true });
    expect(first.answerUs).toBeGreaterThanOrEqual(2 * RTT_US);
    const second = request(pair, 'two\n');
    pair.time.run(20 * SECOND);
    expect(second).toMatchObject({ answer: 'answer to two\n', closed: true });
    expect(second.answerUs).toBeGreaterThanOrEqual(RTT_US);
    expect(second.answerUs).toBeLessThan(RTT_US + 5000);
    expect(seen.requests).toEqual(['one\n', 'two\n']);
    expect(pair.a.stats()).toMatchObject({ TCPFastOpenActive: 1, TCPFastOpenActiveFail: 0, RetransSegs: 0 });
    expect(pair.b.stats()).toMatchObject({ TCPFastOpenCookieReqd: 1, TCPFastOpenPassive: 1, RetransSegs: 0 });
    expect(second.flow.info().tcpi_options & 32).toBe(32);
  });

  it('delivers each request exactly once, whatever is lost', () => {
    let [early, unreachable] = [0, 0];
    for (let seed = 1; seed <= 20; seed++) {
      const pair = createPair({ impair: { delayUs: 5000, lossRate: 0.2, duplicateRate: 0.05, seed } });
      const seen = serve(pair);
      const exchanges: Exchange[] = [];
      for (let i = 0; i < 6; i++) {
        exchanges.push(request(pair, `request ${seed}.${i}\n`));
        pair.time.run(pair.time.clock.now() + 300 * SECOND);
      }
      // A neighbour that ARP did not find is the one thing that may go wrong.
      const lost = exchanges.filter((e) => e.error?.code === 'EHOSTUNREACH');
      const done = exchanges.filter((e) => !lost.includes(e));
      expect(done.map((e) => e.answer)).toEqual(seen.requests.map((r) => `answer to ${r}`));
      expect(lost.map((e) => e.answer)).toEqual(lost.map(() => ''));
      early += pair.b.stats().TCPFastOpenPassive;
      unreachable += lost.length;
      expect([...pair.a.flows, ...pair.b.flows]).toEqual([]);
    }
    expect(unreachable).toBeLessThan(8);
    expect(early).toBeGreaterThan(50);
  });

  it('shares its key with hosts that serve the same address', () => {
    const key = [1, 2, 3, 4] as const;
    const pair = createPair({}, { fastOpenKey: key });
    serve(pair);
    request(pair, 'one\n');
    pair.time.run(SECOND);
    const cookie = pair.a.tcp.destinations.get(0x0a000001, 0x0a000002)?.cookie;
    const other = createPair({}, { fastOpenKey: key });
    serve(other);
    Object.assign(other.a.tcp.destinations.entry(0x0a000001, 0x0a000002), { cookie });
    request(other, 'two\n');
    other.time.run(SECOND);
    expect(other.b.stats()).toMatchObject({ TCPFastOpenPassive: 1, TCPFastOpenPassiveFail: 0 });
  });

  it('refuses first data that the send buffer cannot hold', () => {
    const { a, addressB } = createPair();
    const open = () =>
      a.connect({ host: addressB, port: 80, fastOpenData: new Uint8Array(2000), tcp: { sndBuf: 1999 } });
    expect(open).toThrow(NetError);
    expect(open).toThrow(/message too long/);
    expect([...a.flows]).toEqual([]);
  });
});
