import { describe, expect, it } from 'vitest';
import type { Connection, ConnectionUser } from '../src/index.ts';
import { user } from '../src/index.ts';
import type { ObservedOptions, TcpObserver } from '../src/observer.ts';
import { Harness } from './harness.ts';

/** Replaces what a connection's user does on one event. */
function on<K extends keyof ConnectionUser>(c: Connection, event: K, act: () => void): void {
  const before = c.user!;
  c.user = { ...before, [event]: act } as ConnectionUser;
}

describe('calls from within callbacks', () => {
  const established = (config = {}) => new Harness({ lossProbe: false, ...config }).connect('mss 1000');

  it('write upon connect goes out with the acknowledgment of the handshake', () => {
    const t = new Harness({ lossProbe: false });
    t.open();
    t.takeOne('S');
    on(t.c, 'onConnect', () => user.write(t.c, new Uint8Array(0)) === 0 && t.write(100));
    t.in('S. 0:0(0) ack 1 <mss 1000>');
    t.outAll('P. 1:101(100) ack 1');
  });

  it('read upon readable lets the window be told with the acknowledgment', () => {
    const t = established({ rcvBuf: 4096 });
    const full = t.c.rcvWnd;
    t.readAll = true;
    t.in(`. 1:${full + 1}(${full}) ack 1`);
    expect(t.takeOne('.')).toMatchObject({ relAck: full + 1, window: full });
  });

  it('close upon readable, in the middle of a batch', () => {
    const t = established();
    on(t.c, 'onReadable', () => {
      t.readRaw(new Uint8Array(1000));
      t.close();
    });
    t.batch(() => {
      t.feed('P. 1:101(100) ack 1');
      t.feed('P. 101:201(100) ack 1');
    });
    t.out('F. 1:1(0) ack 201');
  });

  it('reset upon readable, in the middle of a batch', () => {
    const t = established();
    on(t.c, 'onReadable', () => t.reset());
    t.batch(() => {
      t.feed('P. 1:101(100) ack 1');
      t.feed('P. 101:201(100) ack 1');
    });
    expect(t.takeOne('R.').relSeq).toBe(1);
    t.quiet();
    expect(t.tcp.connectionCount).toBe(0);
    t.in('P. 201:301(100) ack 1');
    t.takeOne('R');
  });

  it('a new connection upon close of the old one', () => {
    const t = established();
    on(t.c, 'onClose', () => {
      const peer = t.peerOn(5555, { localPort: 5556 });
      t.open({}, peer);
    });
    t.in('R 1:1(0)');
    expect(t.takeOne('S').dstPort).toBe(5555);
  });

  it('nothing is told from within a call of the user itself, but right after it', () => {
    const t = established();
    let inside = true;
    on(t.c, 'onClose', () => t.events.push(`close ${inside ? 'inside' : 'after'}`));
    user.reset(t.c);
    t.tcp.userDone();
    inside = false;
    t.batch(() => {});
    t.told('close after');
  });

  it('the last call is onClose, and it comes once', () => {
    const t = established();
    t.in('FP. 1:11(10) ack 1');
    t.shutdown();
    t.drain();
    t.in('. 12:12(0) ack 2');
    t.told('readable', 'end', 'close');
    expect(t.read()).toBe(10);
    t.close();
    t.reset();
    t.wait(1000);
    t.told();
  });

  it('what had arrived can be read after the end', () => {
    const t = established();
    t.in('FP. 1:101(100) ack 1');
    t.shutdown();
    t.in('. 102:102(0) ack 2');
    expect(t.c.stateName).toBe('CLOSED');
    expect(t.read()).toBe(100);
    expect(t.read()).toBe(0);
    expect(t.write(1)).toBe(-1);
  });

  it('reading in place and consuming is what reading is', () => {
    const t = established();
    t.in('P. 1:101(100) ack 1');
    expect(t.c.rcv.peekBytes).toBe(100);
    user.consume(t.c, 60);
    t.tcp.userDone();
    expect(t.c.rcv.readable).toBe(40);
    expect(() => user.consume(t.c, 41)).toThrow(RangeError);
  });

  it('writing and reading by address are what writing and reading are', () => {
    const t = established();
    const page = t.pages.alloc();
    t.memory.u8.set(
      Uint8Array.from({ length: 10 }, (_, i) => i + 1),
      page,
    );
    expect(user.writeFrom(t.c, page, 10)).toBe(10);
    t.tcp.userDone();
    expect([...t.takeOne('P.').payload]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    t.in('P. 1:11(10) ack 11');
    expect(user.readInto(t.c, page + 100, 100)).toBe(10);
    expect(t.memory.u8[page + 101]).toBe(31);
    t.tcp.userDone();
  });
});

describe('the observer', () => {
  it('sees every segment both ways, and the windows after it', () => {
    const t = new Harness({ lossProbe: false, quickAcks: 0 }).connect('mss 1000', { rttMs: 10 });
    const seen: string[] = [];
    const happened: number[][] = [];
    const rel = (n: number, base: number) => (n - base) | 0;
    const observer: TcpObserver = {
      segmentSent: (seq, ack, flags, bytes, _window, _now, delayUs, again) =>
        seen.push(`sent ${rel(seq, t.peer.iss)} ack ${rel(ack, t.peer.irs)} ${flags}+${bytes} ${delayUs} ${again}`),
      segmentReceived: (seq, ack, flags, bytes, window, arrivedUs, nowUs) =>
        seen.push(
          `got ${rel(seq, t.peer.irs)} ack ${rel(ack, t.peer.iss)} ${flags}+${bytes} win ${window} ${nowUs - arrivedUs}`,
        ),
      dataSent: (seq, ack, flags, bytes, _window, _stamped, _val, _ecr, count, state) => {
        const fromUs = state.stampMark();
        seen.push(
          `sent ${rel(seq, t.peer.iss)} ack ${rel(ack, t.peer.irs)} ${flags}+${bytes} ${state.stamps(count) - fromUs} 0`,
        );
      },
      segmentExpected: (segment, state) => {
        observer.segmentReceived(
          segment.seq,
          segment.ack,
          segment.flags,
          segment.bytes,
          segment.window,
          segment.arrivedUs,
          state.stamps(1),
          segment.options as ObservedOptions,
        );
        observer.windowUpdated(state.stampMark(), state);
      },
      windowUpdated: (_now, w) =>
        seen.push(`una ${rel(w.sndUna, t.peer.iss)} nxt ${rel(w.sndNxt, t.peer.iss)} wnd ${w.sndWnd}`),
      settled: () => {},
      happened: (_now, what, a, b) => happened.push([what, a, b]),
    };
    t.c.observer = observer;
    t.write(500);
    t.in('P. 1:11(10) ack 501 win 3000', { arrivedUs: t.time.clock.now() - 7 });
    t.wait(100);
    expect(seen[0]).toBe('sent 1 ack 1 24+500 0 0');
    expect(seen).toContain('got 1 ack 501 24+10 win 3000 7');
    expect(seen).toContain('una 501 nxt 501 wnd 3000');
    expect(seen.at(-1)).toMatch(/^(sent 501 ack 11 16\+0 0 0|una 501 nxt 501 wnd 3000)$/);
    t.write(500);
    t.wait(1000);
    expect(seen.some((s) => /^sent 501 .*\+500 0 2$/.test(s))).toBe(true);
  });
});

describe('a device that computes checksums', () => {
  it('gets the sum over the pseudo-header only, in every kind of segment', () => {
    const t = new Harness({ lossProbe: false, quickAcks: 0 }, { checksumOffload: true });
    const pseudo = (length: number) => {
      const [a, b] = [t.localAddress, t.peer.address];
      let sum = (a >>> 16) + (a & 0xffff) + (b >>> 16) + (b & 0xffff) + 6 + length;
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
      return sum;
    };
    t.connect('mss 1000,sackOK,TS 0 ecr 0,nop,wscale 7');
    t.write(1500);
    t.in('P. 1001:1101(100) ack 1');
    t.in('P. 1:11(10) ack 4000000');
    t.shutdown();
    t.reset();
    t.in('S 5:5(0)', { from: t.peerOn(9) });
    const sent = t.drain();
    expect(sent.length).toBeGreaterThanOrEqual(5);
    for (const s of sent) expect(s.checksum).toBe(pseudo(s.bytes.length));
  });
});
