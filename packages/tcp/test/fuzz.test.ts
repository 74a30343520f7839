import { type Random, seededRandom } from '@qanat/clock';
import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';
import { encodeSegment, type Option } from './wire-text.ts';

const OPTIONS = [
  '',
  'mss 1000',
  'mss 1000,sackOK',
  'mss 1000,sackOK,TS 0 ecr 0,nop,wscale 7',
  'mss 1,TS 0 ecr 0,sackOK',
];

/** Brings a connection into some state, by a script. */
const STATES: Record<string, (t: Harness) => void> = {
  LISTEN: (t) => void t.listen(2),
  'SYN-SENT': (t) => void t.open(),
  'SYN-RECEIVED': (t) => {
    t.listen(4);
    t.in('S 0:0(0) <mss 1000,sackOK>');
  },
  'SYN-RECEIVED, active': (t) => {
    t.open();
    t.in('S 0:0(0)');
  },
  ESTABLISHED: (t) => void t.write(30_000),
  'FIN-WAIT-1': (t) => {
    t.write(3000);
    t.shutdown();
  },
  'FIN-WAIT-2': (t) => {
    t.shutdown();
    t.in('. 1:1(0) ack 2');
  },
  'CLOSE-WAIT': (t) => {
    t.in('F. 1:1(0) ack 1');
    t.write(30_000);
  },
  CLOSING: (t) => {
    t.shutdown();
    t.in('F. 1:1(0) ack 1');
  },
  'LAST-ACK': (t) => {
    t.in('F. 1:1(0) ack 1');
    t.shutdown();
  },
  'TIME-WAIT': (t) => {
    t.shutdown();
    t.in('F. 1:1(0) ack 2');
  },
};

const pick = <T>(random: Random, list: readonly T[]): T => list[random.u32() % list.length]!;

/** A number near something that matters, or anywhere. */
function near(random: Random, places: readonly number[]): number {
  const dice = random.u32() % 20;
  if (dice === 0) return random.u32() | 0;
  const spread = dice < 14 ? (random.u32() % 5) - 2 : (random.u32() % 80_000) - 40_000;
  return (pick(random, places) + spread) | 0;
}

function randomOptions(random: Random, t: Harness): Option[] {
  const options: Option[] = [];
  const c = t.c;
  for (let n = random.u32() % 3; n > 0; n--) {
    switch (random.u32() % 6) {
      case 0:
        options.push({
          kind: 'TS',
          val: near(random, [c?.tsRecent ?? 0, 1_000_000]),
          ecr: near(random, [t.peer.lastTsVal]),
        });
        break;
      case 1: {
        const places = [c?.sndUna ?? 0, c?.sndNxt ?? 0, (c?.sndUna ?? 0) + 1000, (c?.sndUna ?? 0) + 3000];
        const blocks = Array.from({ length: 1 + (random.u32() % 3) }, (): [number, number] => [
          near(random, places),
          near(random, places),
        ]);
        options.push({ kind: 'sack', blocks });
        break;
      }
      case 2:
        options.push({ kind: 'mss', value: random.u32() & 0xffff });
        break;
      case 3:
        options.push({ kind: 'wscale', value: random.u32() & 255 }, { kind: 'sackOK' });
        break;
      case 4:
        options.push({ kind: 'raw', bytes: Uint8Array.from({ length: random.u32() % 12 }, () => random.u32() & 255) });
        break;
      default:
        options.push({ kind: 'nop' });
    }
  }
  return options;
}

/** One segment of any kind, most of them almost right. */
function randomSegment(random: Random, t: Harness): Uint8Array {
  const c = t.c;
  const [rcvNxt, rcvAdv] = c === undefined ? [t.peer.irs, t.peer.irs] : [c.rcvNxt, c.rcvAdv];
  const [sndUna, sndNxt] = c === undefined ? [0, 0] : [c.sndUna, c.sndNxt];
  const options = randomOptions(random, t);
  const bytes = pick(random, [0, 0, 0, 1, 10, 500, 1000, 1400]);
  let flags = pick(random, [
    0x10,
    0x10,
    0x10,
    0x10,
    0x18,
    0x18,
    0x11,
    0x04,
    0x14,
    0x02,
    0x12,
    0x30,
    0xd0,
    random.u32() & 255,
  ]);
  // A RST that hits ends the fun: keep it rare.
  if (flags & 4 && random.u32() % 4 !== 0) flags &= ~4;
  let total = options;
  const size = (list: Option[]) =>
    list.reduce((sum, o) => sum + (o.kind === 'TS' ? 10 : o.kind === 'sack' ? 2 + 8 * o.blocks.length : 12), 0);
  while (size(total) > 36) total = total.slice(1);
  return encodeSegment(
    {
      srcPort: t.peer.port,
      dstPort: t.peer.localPort,
      seq: near(random, [rcvNxt, rcvNxt, rcvNxt, rcvAdv, t.peer.irs]),
      ack: near(random, [sndUna, sndNxt, sndNxt, t.peer.iss]),
      flags,
      window: pick(random, [0, 1, 100, 1000, 5000, 65_535, random.u32() & 0xffff]),
      urgent: random.u32() & 0xffff,
      options: total,
      payload: Uint8Array.from({ length: bytes }, () => random.u32() & 255),
    },
    t.peer.address,
    t.peer.localAddress,
  );
}

describe('hostile segments', () => {
  it.each(Object.keys(STATES))(
    'in %s neither throw, nor break what must hold, nor draw more than they should',
    (state) => {
      for (let seed = 1; seed <= 12; seed++) {
        const random = seededRandom(seed * 1000 + state.length);
        const opening = state.startsWith('SYN') || state === 'LISTEN';
        const t = new Harness(
          {
            rcvBuf: pick(random, [2000, 65_536, 300_000]),
            sndBuf: 100_000,
            ecn: pick(random, ['on', 'passive', 'off'] as const),
          },
          { iss: pick(random, [1, -2000, 0x7ffffc00]), peerIss: pick(random, [7000, -300, -70_000]) },
        );
        if (!opening) t.connect(pick(random, OPTIONS), { rttMs: 20 });
        STATES[state]!(t);
        t.drain();
        for (let i = 0; i < 150; i++) {
          const count = 1 + (random.u32() % 3);
          t.batch(() => {
            for (let n = 0; n < count; n++) t.feedBytes(randomSegment(random, t));
          });
          const sent = t.drain();
          // Answers: at most one for each segment, and what the window lets out.
          const answers = sent.filter((s) => s.payload.length === 0);
          expect(answers.length).toBeLessThanOrEqual(count + 1);
          if (random.u32() % 8 === 0) t.wait(pick(random, [1, 40, 300, 2000]));
          t.drain();
          if (random.u32() % 5 === 0 && t.c !== undefined && t.c.rcv.readable > 0) {
            const into = new Uint8Array(random.u32() % 3000);
            t.readRaw(into);
          }
        }
        t.wait(3_600_000);
        t.drain();
        t.wait(86_400_000);
        t.drain();
      }
    },
  );

  it('of pure noise are counted and dropped', () => {
    const random = seededRandom(77);
    const t = new Harness().connect('mss 1000,sackOK,TS 0 ecr 0,nop,wscale 7');
    for (let i = 0; i < 500; i++) {
      const bytes = Uint8Array.from({ length: random.u32() % 100 }, () => random.u32() & 255);
      t.batch(() => t.feedBytes(bytes, { validated: i % 2 === 0 }));
    }
    t.drain();
    expect(t.state).toBe('ESTABLISHED');
    t.in('P. 1:101(100) ack 1');
    expect(t.read()).toBe(100);
  });

  it('with every flag combination in every state leave no timer after an abort', () => {
    for (const [name, go] of Object.entries(STATES)) {
      for (let flags = 0; flags < 256; flags++) {
        if (flags & 4) continue;
        const t = new Harness({ synCookies: false }, { memoryBytes: 2 << 20 });
        if (!name.startsWith('SYN') && name !== 'LISTEN') t.connect('mss 1000');
        go(t);
        const letters = 'FSRP.UEW';
        const text = [...letters].filter((_, bit) => flags & (1 << bit)).join('') || '-';
        const seq = t.c === undefined ? 0 : (t.c.rcvNxt - t.peer.irs) | 0;
        const ack = t.c === undefined ? 1 : (t.c.sndNxt - t.peer.iss) | 0;
        t.in(`${text} ${seq}:${seq}(0)${flags & 16 ? ` ack ${ack}` : ''}`);
        for (const c of [...t.tcp.connections]) t.reset(c);
        expect([t.tcp.connectionCount, t.time.timers.size]).toEqual([0, 0]);
      }
    }
  });
});
