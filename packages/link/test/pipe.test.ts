import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPipe, type Netif, type PipeOptions } from '../src/index.ts';
import { createGround, Recorder, send, tagOf } from './harness.ts';

function setUp(options: Partial<PipeOptions> = {}) {
  const ground = createGround();
  const freeBefore = ground.pages.freePages;
  const [a, b] = createPipe({ ...ground.on, ...options });
  return { ...ground, freeBefore, a, b, atA: new Recorder(a, ground.time), atB: new Recorder(b, ground.time) };
}

describe('a pipe', () => {
  it('delivers a flushed batch at the next turn, never from within flush, and ends it once', () => {
    const { a, atA, atB, time } = setUp();
    send(a, 1);
    send(a, 2, { bytes: 1514 });
    time.run();
    expect(atB.log).toEqual([]);
    a.flush();
    expect(atB.log).toEqual([]);
    time.run();
    expect(atB.log).toEqual(['0:1', '0:2', 'done']);
    expect(atB.frames.map((frame) => frame.length)).toEqual([64, 1514]);
    expect(atA.log).toEqual([]);
  });

  it('answers in a turn of its own: hosts are never entered while one is in a call', () => {
    const { a, b, atA, atB, time } = setUp();
    let inside = 0;
    const answer = (netif: Netif, tag: number) => () => {
      expect(inside).toBe(0);
      inside++;
      send(netif, tag);
      netif.flush();
      inside--;
    };
    atB.onFrame = answer(b, 7);
    atA.onFrame = () => expect(inside).toBe(0);
    send(a, 1);
    a.flush();
    time.run();
    expect(atA.log).toEqual(['0:7', 'done']);
  });

  it('hands over the very bytes, without a copy', () => {
    const { a, atB, time } = setUp();
    const packet = a.allocate(100)!;
    const addr = packet.addr;
    let seen = 0;
    atB.onFrame = (received) => {
      seen = received.addr;
    };
    packet.set(addr, 100);
    a.transmit(packet);
    a.flush();
    time.run();
    expect(seen).toBe(addr);
  });

  it('survives a receiver that pulls, trims and overwrites what it got', () => {
    const { a, atB, time, memory } = setUp({ ringFrames: 1 });
    atB.onFrame = (packet) => {
      packet.pull(14);
      memory.u8.fill(0xaa, packet.addr, packet.addr + packet.len);
      packet.trim(3);
      packet.flags = 3;
    };
    for (let tag = 1; tag <= 3; tag++) {
      expect(send(a, tag, { bytes: 1514 })).toBe(true);
      a.flush();
      time.run();
    }
    expect(atB.frames.map((frame) => [tagOf(frame), frame.length])).toEqual([
      [1, 1514],
      [2, 1514],
      [3, 1514],
    ]);
    expect(a.allocate(14)!.flags).toBe(0);
  });

  it('tells a sender that found it full when there is room again, once', () => {
    const { a, atA, atB, time } = setUp({ ringFrames: 4 });
    expect([1, 2, 3, 4].map((tag) => send(a, tag))).toEqual([true, true, true, true]);
    expect(a.allocate(64)).toBeNull();
    expect(a.allocate(64)).toBeNull();
    a.flush();
    time.run();
    expect(atB.log).toEqual(['0:1', '0:2', '0:3', '0:4', 'done']);
    expect(atA.log).toEqual(['ready']);
    expect(send(a, 5)).toBe(true);
  });

  it('tells it too when room came by a release, or by the loss of all that was sent', () => {
    const { a, atA, time } = setUp({ ringFrames: 2, impair: { lossRate: 1 } });
    const first = a.allocate(64)!;
    const second = a.allocate(64)!;
    expect(a.allocate(64)).toBeNull();
    a.release(first);
    time.run();
    expect(atA.log).toEqual(['ready']);
    a.allocate(64);
    expect(a.allocate(64)).toBeNull();
    second.set(second.addr, 64);
    a.transmit(second);
    a.flush();
    time.run();
    expect(atA.log).toEqual(['ready', 'ready']);
  });

  it('drops and counts frames that are no frames, and frames to nobody', () => {
    const { a, b, time } = setUp();
    send(a, 1, { bytes: 16 });
    const runt = a.allocate(64)!;
    runt.set(runt.addr, 13);
    a.transmit(runt);
    b.close();
    a.flush();
    time.run();
    expect(a).toMatchObject({ counters: { txFrames: 1, txDrops: 1 } });
    expect(b).toMatchObject({ counters: { rxFrames: 0, rxDrops: 1 } });
  });

  it('refuses what only a mistake of its own host can be', () => {
    const { a, b } = setUp();
    expect(() => a.allocate(1515)).toThrow(RangeError);
    const packet = a.allocate(64)!;
    packet.set(packet.addr, 64);
    a.transmit(packet);
    expect(() => a.transmit(packet)).toThrow(/not out/);
    expect(() => a.release(packet)).toThrow(/not out/);
    const other = b.allocate(64)!;
    b.release(other);
    expect(() => b.release(other)).toThrow(/not out/);
    const long = a.allocate(64)!;
    long.set(long.addr, 5000);
    expect(() => a.transmit(long)).toThrow(/outside/);
  });

  it('refuses impossible options', () => {
    expect(() => setUp({ mtu: 67 })).toThrow(RangeError);
    expect(() => setUp({ mtu: 65_536 })).toThrow(RangeError);
    expect(() => setUp({ ringFrames: 0 })).toThrow(RangeError);
    expect(() => setUp({ impair: { lossRate: 2 } })).toThrow(RangeError);
    const { on } = createGround(0x1_0000);
    expect(() => createPipe({ ...on, mtu: 65_535 })).toThrow('no pages left');
  });

  it.each([68, 1500, 1904, 1905, 4000, 9000, 65_535])('carries frames of an MTU of %i', (mtu) => {
    const { a, atB, time } = setUp({ mtu, ringFrames: 8 });
    for (let tag = 0; tag < 8; tag++) expect(send(a, tag, { bytes: mtu + 14 })).toBe(true);
    a.flush();
    time.run();
    for (const [tag, frame] of atB.frames.entries()) {
      expect(frame.length).toBe(mtu + 14);
      expect(frame.subarray(16).every((byte) => byte === tag)).toBe(true);
    }
    expect(atB.frames.length).toBe(8);
  });

  it('gives its pages back when both ends are closed and every buffer is home', () => {
    const { a, b, pages, freeBefore, time } = setUp();
    for (let tag = 0; tag < 100; tag++) send(a, tag);
    a.flush();
    const kept = b.allocate(64)!;
    a.close();
    b.close();
    b.close();
    expect(pages.freePages).toBeLessThan(freeBefore);
    expect(a.allocate(64)).toBeNull();
    b.release(kept);
    expect(pages.freePages).toBe(freeBefore);
    time.run();
  });

  it('may be closed by its host from within receive', () => {
    const { a, b, atB, time, pages, freeBefore } = setUp();
    for (let tag = 0; tag < 3; tag++) send(a, tag);
    a.flush();
    atB.onFrame = () => b.close();
    time.run();
    expect(atB.log).toEqual(['0:0']);
    a.close();
    expect(pages.freePages).toBe(freeBefore);
  });

  it('delivers the rest after a host that threw, and loses no buffer', () => {
    const { a, atB, time } = setUp({ ringFrames: 3 });
    for (let tag = 0; tag < 3; tag++) send(a, tag);
    a.flush();
    atB.onFrame = () => {
      atB.onFrame = undefined;
      throw new Error('bad host');
    };
    expect(() => time.run()).toThrow('bad host');
    time.run();
    expect(atB.log).toEqual(['0:0', '0:1', '0:2', 'done']);
    expect([3, 4, 5].map((tag) => send(a, tag))).toEqual([true, true, true]);
  });

  it('carries whatever two hosts send, whole, in order, at once', () => {
    const burst = fc.record({
      end: fc.integer({ min: 0, max: 1 }),
      sizes: fc.array(fc.integer({ min: 16, max: 1514 }), { minLength: 1, maxLength: 12 }),
      run: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(burst, { maxLength: 30 }), fc.integer({ min: 1, max: 20 }), (bursts, ringFrames) => {
        const { a, b, atA, atB, time } = setUp({ ringFrames });
        const sent: [number[][], number[][]] = [[], []];
        let tag = 0;
        for (const { end, sizes, run } of bursts) {
          const netif = end === 0 ? a : b;
          for (const bytes of sizes) if (send(netif, ++tag, { bytes })) sent[end]!.push([tag, bytes]);
          netif.flush();
          if (run) time.run();
        }
        time.run();
        expect(atB.frames.map((frame) => [tagOf(frame), frame.length])).toEqual(sent[0]);
        expect(atA.frames.map((frame) => [tagOf(frame), frame.length])).toEqual(sent[1]);
        expect(time.clock.now()).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});

describe('an impaired pipe', () => {
  it('delays each direction as told', () => {
    const { a, b, atA, atB, time } = setUp({ impair: [{ delayUs: 10_000 }, { delayUs: 25_000 }] });
    send(a, 1);
    a.flush();
    send(b, 2);
    b.flush();
    time.run(5000);
    send(a, 3);
    a.flush();
    time.run();
    expect(atB.log).toEqual(['10000:1', 'done', '15000:3', 'done']);
    expect(atA.log).toEqual(['25000:2', 'done']);
  });

  it('sends at its rate and drops what its queue does not take', () => {
    // 1250 bytes at 10 Mbit/s take 1 ms.
    const { a, atB, time } = setUp({ impair: { rateBitsPerSecond: 10e6, queuePackets: 3, delayUs: 500 } });
    for (let tag = 1; tag <= 5; tag++) send(a, tag, { bytes: 1250 });
    a.flush();
    time.run();
    expect(atB.log).toEqual(['1500:1', 'done', '2500:2', 'done', '3500:3', 'done']);
  });

  it('lets a frame fall behind, makes copies and flips one bit', () => {
    const reorder = setUp({ impair: [{ delayUs: 10, reorderRate: 0.5, reorderUs: 100, seed: 3 }, undefined] });
    for (let tag = 0; tag < 20; tag++) send(reorder.a, tag);
    reorder.a.flush();
    reorder.time.run();
    const times = new Set(reorder.atB.log.filter((line) => line !== 'done').map((line) => line.split(':')[0]));
    expect([...times]).toEqual(['10', '110']);
    expect(reorder.atB.frames.length).toBe(20);

    const twice = setUp({ impair: { duplicateRate: 1 } });
    send(twice.a, 5, { bytes: 100 });
    twice.a.flush();
    twice.time.run();
    expect(twice.atB.log).toEqual(['0:5', '0:5', 'done']);
    expect(twice.atB.frames[1]).toEqual(twice.atB.frames[0]);

    const corrupt = setUp({ impair: { corruptRate: 1 } });
    send(corrupt.a, 0, { bytes: 100, src: new Uint8Array(6) });
    corrupt.a.flush();
    corrupt.time.run();
    const ones = Array.from(corrupt.atB.frames[0]!).reduce(
      (sum, byte) => sum + byte.toString(2).split('1').length - 1,
      0,
    );
    expect(ones).toBe(1);
  });

  it('holds back a sender that has too much in flight, and loses nothing by it', () => {
    const { a, atA, atB, time } = setUp({ ringFrames: 10, impair: { delayUs: 1000 } });
    let tag = 0;
    const pump = () => {
      while (tag < 35 && send(a, tag)) tag++;
      a.flush();
    };
    atA.onReady = pump;
    pump();
    time.run();
    expect(atB.frames.map(tagOf)).toEqual(Array.from({ length: 35 }, (_, i) => i));
    expect(time.clock.now()).toBe(4000);
  });

  it('is the same for the same seed, and another for another', () => {
    const run = (seed: number) => {
      const impair = { seed, lossRate: 0.1, delayUs: 500, jitterUs: 200, duplicateRate: 0.1, reorderRate: 0.1 };
      const { a, b, atA, atB, time } = setUp({ impair });
      for (let tag = 0; tag < 50; tag++) {
        send(a, tag);
        send(b, tag);
        a.flush();
        b.flush();
        time.run(tag * 100);
      }
      time.run();
      return [atA.log.join(' '), atB.log.join(' ')];
    };
    expect(run(1)).toEqual(run(1));
    expect(run(1)).not.toEqual(run(2));
    expect(run(1)[0]).not.toEqual(run(1)[1]);
  });

  it('gives back every buffer of frames that are still in flight', () => {
    const { a, b, pages, freeBefore } = setUp({ impair: { delayUs: 1e6, duplicateRate: 0.5 } });
    for (let tag = 0; tag < 500; tag++) send(a, tag);
    a.flush();
    a.close();
    b.close();
    expect(pages.freePages).toBe(freeBefore);
  });
});
