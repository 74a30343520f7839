import { describe, expect, it } from 'vitest';
import { DEFAULT_TCP_CONFIG } from '../src/index.ts';
import { Harness } from './harness.ts';

describe('a listener (3.10.1) [MUST-41] [MUST-42]', () => {
  it('opens a connection for each peer, and goes on listening', () => {
    const t = new Harness();
    t.listen();
    for (let port = 1; port <= 5; port++) {
      const from = t.peerOn(port);
      t.in('S 0:0(0) <mss 1000>', { from });
      t.takeOne('S.');
      t.in('. 1:1(0) ack 1', { from });
    }
    t.told('accept', 'accept', 'accept', 'accept', 'accept');
    expect(new Set(t.accepted.map((c) => c.remotePort)).size).toBe(5);
    expect(t.stats.PassiveOpens).toBe(5);
  });

  it('on one port may be several, on different addresses; the same is refused', () => {
    const t = new Harness();
    const on = (address: number, port: number) => t.tcp.listen(address, port, 5, t.config, () => {});
    expect(on(t.localAddress, 80)).toBeDefined();
    expect(on(t.localAddress + 1, 80)).toBeDefined();
    expect(on(t.localAddress, 80)).toBeUndefined();
    expect(on(0, 80)).toBeUndefined();
    expect(on(0, 81)).toBeDefined();
    expect(on(t.localAddress, 81)).toBeUndefined();
  });

  it('hands a connection over with its data', () => {
    const t = new Harness();
    t.listen();
    t.in('S 0:0(0)');
    t.takeOne('S.');
    t.batch(() => {
      t.feed('. 1:1(0) ack 1');
      t.feed('P. 1:101(100) ack 1');
    });
    t.told('accept', 'readable');
    expect(t.read()).toBe(100);
  });

  it('that is closed resets what is half open and keeps what is open', () => {
    const t = new Harness();
    t.listen();
    t.accept('mss 1000');
    const half = t.peerOn(4001);
    t.in('S 0:0(0)', { from: half });
    t.takeOne('S.');
    t.tcp.unlisten(t.listener!);
    expect(t.takeOne('R.').dstPort).toBe(4001);
    expect(t.tcp.connectionCount).toBe(1);
    t.in('. 1:1(0) ack 1', { from: half });
    t.takeOne('R');
    t.in('S 0:0(0)', { from: t.peerOn(4002) });
    t.takeOne('R.');
    t.in('P. 1:11(10) ack 1');
    expect(t.read()).toBe(10);
  });

  it('takes a SYN with ECN bits, PSH or URG for a SYN', () => {
    for (const flags of ['SEW', 'SE', 'SW', 'SP', 'SU', 'SPUEW']) {
      const t = new Harness();
      t.listen();
      t.in(`${flags} 0:0(0)`);
      expect(t.queue.length).toBe(1);
      t.drain();
      t.in('. 1:1(0) ack 1');
      t.told('accept');
    }
  });

  it('keeps half-open connections of a vanished peer for bounded time', () => {
    const t = new Harness();
    t.listen(100);
    for (let port = 1; port <= 100; port++) t.in('S 0:0(0)', { from: t.peerOn(port) });
    t.wait(200_000);
    expect(t.tcp.connectionCount).toBe(0);
    expect(t.listener!.halfOpen).toBe(0);
    expect(t.time.timers.size).toBe(0);
  });
});

describe('the backlog', () => {
  const flood = (t: Harness, from: number, count: number) => {
    for (let port = from; port < from + count; port++) t.in('S 0:0(0) <mss 1000>', { from: t.peerOn(port) });
  };

  it('bounds what is half open: without cookies a further SYN is dropped without a word', () => {
    const t = new Harness({ synCookies: false });
    t.listen(4);
    flood(t, 1, 10);
    expect(t.drain().length).toBe(4);
    expect(t.tcp.connectionCount).toBe(4);
    expect(t.stats.ListenDrops).toBe(6);
  });

  it('has room again when one is complete, has failed, or was reset', () => {
    const t = new Harness({ synCookies: false });
    t.listen(1);
    flood(t, 1, 2);
    t.drain();
    t.in('R 1:1(0)', { from: t.peers.find((p) => p.port === 1)! });
    flood(t, 3, 1);
    expect(t.takeOne('S.').dstPort).toBe(3);
    t.in('. 1:1(0) ack 1', { from: t.peers.find((p) => p.port === 3)! });
    flood(t, 4, 1);
    expect(t.takeOne('S.').dstPort).toBe(4);
    t.wait(300_000);
    t.drain();
    flood(t, 5, 1);
    expect(t.takeOne('S.').dstPort).toBe(5);
  });

  it('that nobody empties ignores the last ACK of a handshake, which is completed later', () => {
    const t = new Harness();
    t.listen(4);
    t.in('S 0:0(0) <mss 1000>');
    t.takeOne('S.');
    t.listener!.waiting = 5;
    t.in('. 1:1(0) ack 1');
    t.in('P. 1:11(10) ack 1');
    t.quiet();
    t.told();
    expect(t.tcp.connectionCount).toBe(1);
    t.next('S. 0:0(0) ack 1');
    t.listener!.waiting = 0;
    t.in('P. 1:11(10) ack 1');
    t.told('accept', 'readable');
    expect(t.read()).toBe(10);
  });

  it('that nobody empties drops SYNs without a word, cookies or not', () => {
    const t = new Harness();
    t.listen(4);
    t.listener!.waiting = 5;
    flood(t, 1, 1);
    t.quiet();
    expect(t.stats.ListenOverflows).toBe(1);
  });
});

describe('ports', () => {
  it('for listening are found free', () => {
    const t = new Harness();
    const seen = new Set<number>();
    for (let i = 0; i < 50; i++) {
      const port = t.tcp.freeListenPort();
      expect(seen.has(port)).toBe(false);
      seen.add(port);
      t.tcp.listen(0, port, 1, DEFAULT_TCP_CONFIG, () => {});
    }
  });

  it('for connecting are not guessed by counting (RFC 6056), and not used twice', () => {
    const t = new Harness({}, { memoryBytes: 32 << 20 });
    const ports: number[] = [];
    for (let i = 0; i < 50; i++) {
      const c = t.tcp.connect(t.path(0, 0x0a000100 + i)!, 0, 80, t.config);
      if (typeof c === 'string') throw new Error(c);
      ports.push(c.localPort);
    }
    const steps = ports.slice(1).map((p, i) => p - ports[i]!);
    expect(steps.filter((s) => s === 1).length).toBeLessThan(5);
    const same = new Set<number>();
    for (let i = 0; i < 50; i++) {
      const c = t.tcp.connect(t.path(0, 0x0a000200)!, 0, 80, t.config);
      if (typeof c === 'string') throw new Error(c);
      same.add(c.localPort);
    }
    expect(same.size).toBe(50);
  });
});

describe('the end of the layer', () => {
  it('forgets all connections, timers and memory without a word', () => {
    const t = new Harness().connect('mss 1000');
    t.write(100_000);
    t.in('P. 1:1001(1000) ack 1');
    t.drain();
    t.tcp.close();
    t.quietFor(1e6);
    expect(t.tcp.connectionCount).toBe(0);
    expect(t.time.timers.size).toBe(0);
  });
});

describe('a listener that waits for data (Linux: TCP_DEFER_ACCEPT)', () => {
  const listening = () => {
    const t = new Harness({ deferAccept: 2, quickAcks: 0, delayedAckUs: 0 });
    t.listen();
    t.in('S 0:0(0) <mss 1000>');
    t.takeOne('S.');
    return t;
  };

  it('hands a connection over with its first data, not with the ACK of its SYN', () => {
    const t = listening();
    t.in('. 1:1(0) ack 1');
    t.told();
    expect(t.stats.TCPDeferAcceptDrop).toBe(1);
    t.in('P. 1:11(10) ack 1');
    t.told('accept', 'readable');
    expect(t.read()).toBe(10);
  });

  it('takes a FIN for data', () => {
    const t = listening();
    t.in('F. 1:1(0) ack 1');
    t.told('accept', 'end');
  });

  it('leaves a peer alone that has answered, until its time is up: then the SYN-ACK again, and an ACK is enough', () => {
    const t = listening();
    t.in('. 1:1(0) ack 1');
    t.wait(1500);
    t.quiet();
    t.wait(1600);
    t.takeOne('S.');
    t.told();
    t.in('. 1:1(0) ack 1');
    t.told('accept');
  });

  it('asks a peer again that has not answered', () => {
    const t = listening();
    t.wait(1100);
    t.takeOne('S.');
  });

  it('forgets a peer that answers and never says anything', () => {
    const t = listening();
    t.in('. 1:1(0) ack 1');
    t.wait(200_000);
    t.drain();
    expect(t.tcp.connectionCount).toBe(0);
    t.told();
  });
});
