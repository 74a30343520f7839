import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

const established = (options = 'mss 1000', config = {}) => new Harness(config).connect(options);

describe('a segment for no connection (3.10.7.1)', () => {
  it.each([
    ['S 5:5(0)', 'R. 0:0(0) ack'],
    ['S 5:105(100)', 'R. 0:0(0) ack'],
    ['- 5:5(0)', 'R. 0:0(0) ack'],
    ['F 5:5(0)', 'R. 0:0(0) ack'],
    ['P 5:15(10)', 'R. 0:0(0) ack'],
  ])('without ACK (%s) gets <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>', (text, answer) => {
    const t = new Harness();
    t.in(text);
    const len = Number(/\((\d+)\)/.exec(text)![1]) + (/^[SF]/.test(text) ? 1 : 0);
    const sent = t.out(`${answer} ${5 + len}`);
    expect(sent).toMatchObject({ seq: 0, window: 0, options: [] });
    t.quiet();
  });

  it.each(['. 5:5(0) ack 900', 'S. 5:5(0) ack 900', 'FP. 5:15(10) ack 900'])(
    'with ACK (%s) gets <SEQ=SEG.ACK><CTL=RST>',
    (text) => {
      const t = new Harness();
      t.in(text);
      expect(t.out('R 900:900(0)')).toMatchObject({ ack: 0, options: [] });
      t.quiet();
    },
  );

  it.each(['R 5:5(0)', 'R. 5:5(0) ack 900', 'SR 5:5(0)', 'FRP. 5:15(10) ack 900'])(
    'that is a RST (%s) gets no answer',
    (text) => {
      const t = new Harness();
      t.in(text);
      t.quiet();
    },
  );

  it('is not answered when there is no way back or no room in the device', () => {
    const t = new Harness();
    t.noRoute = true;
    t.in('S 5:5(0)');
    t.noRoute = false;
    t.room = 0;
    t.in('S 5:5(0)');
    t.quiet();
  });
});

describe('a segment for a listener (3.10.7.2)', () => {
  it.each(['R 5:5(0)', 'R. 5:5(0) ack 77'])('%s is ignored', (text) => {
    const t = new Harness();
    t.listen();
    t.in(text);
    t.quiet();
    expect(t.tcp.connectionCount).toBe(0);
  });

  it.each(['. 5:5(0) ack 77', 'S. 5:5(0) ack 77', 'P. 5:15(10) ack 77', 'F. 5:5(0) ack 77'])(
    '%s gets <SEQ=SEG.ACK><CTL=RST>',
    (text) => {
      const t = new Harness();
      t.listen();
      t.in(text);
      t.out('R 77:77(0)');
      t.quiet();
      expect(t.tcp.connectionCount).toBe(0);
    },
  );

  it.each(['- 5:5(0)', 'F 5:5(0)', 'P 5:15(10)', 'U 5:5(0)'])('%s, neither SYN nor ACK nor RST, is dropped', (text) => {
    const t = new Harness();
    t.listen();
    t.in(text);
    t.quiet();
    expect(t.tcp.connectionCount).toBe(0);
  });
});

describe('a RST in a synchronized state', () => {
  it('at RCV.NXT ends the connection, and the user learns why [MUST-12] [MUST-47]', () => {
    const t = established();
    t.in('R 1:1(0)');
    t.quiet();
    t.told('close ECONNRESET');
    expect(t.tcp.connectionCount).toBe(0);
    expect(t.stats.EstabResets).toBe(1);
    expect(t.write(1)).toBe(-1);
  });

  it('may carry data, which says why [SHLD-2]', () => {
    const t = established();
    t.in('RP. 1:21(20) ack 1');
    t.quiet();
    t.told('close ECONNRESET');
  });

  it('is believed whatever it acknowledges', () => {
    const t = established();
    t.in('R. 1:1(0) ack 123456789');
    t.told('close ECONNRESET');
  });

  it('leaves what had come before to be read', () => {
    const t = established();
    t.in('P. 1:101(100) ack 1');
    t.told('readable');
    t.drain();
    t.in('R 101:101(0)');
    t.told('close ECONNRESET');
    expect(t.tcp.connectionCount).toBe(0);
    expect(t.read()).toBe(100);
  });

  it('drops what was to be sent', () => {
    const t = established('mss 1000', {});
    t.write(100_000);
    t.drain();
    t.in('R 1:1(0)');
    t.quietFor(100_000);
  });

  it.each([
    ['FIN-WAIT-1', (t: Harness) => t.shutdown()],
    [
      'FIN-WAIT-2',
      (t: Harness) => {
        t.shutdown();
        t.in('. 1:1(0) ack 2');
      },
    ],
    ['CLOSE-WAIT', (t: Harness) => t.in('F. 1:1(0) ack 1')],
  ])('resets in %s', (state, go) => {
    const t = established();
    go(t);
    t.drain();
    t.events.length = 0;
    expect(t.state).toBe(state);
    const seq = state === 'CLOSE-WAIT' ? 2 : 1;
    t.in(`R ${seq}:${seq}(0)`);
    t.told('close ECONNRESET');
    t.quiet();
  });

  it.each([
    [
      'CLOSING',
      (t: Harness) => {
        t.shutdown();
        t.in('F. 1:1(0) ack 1');
      },
    ],
    [
      'LAST-ACK',
      (t: Harness) => {
        t.in('F. 1:1(0) ack 1');
        t.shutdown();
      },
    ],
  ])('ends %s without an error (3.10.7.4)', (state, go) => {
    const t = established();
    go(t);
    t.drain();
    t.events.length = 0;
    expect(t.state).toBe(state);
    t.in('R 2:2(0)');
    t.told('close');
    t.quiet();
    expect(t.tcp.connectionCount).toBe(0);
  });

  it('of another connection touches nothing of this one', () => {
    const t = established();
    t.in('. 1:1(0) ack 1 win 5000');
    const other = t.peerOn(4444, { irs: t.peer.irs });
    other.iss = t.peer.iss;
    t.in('R. 1:1(0) ack 1 win 3', { from: other });
    expect(t.info().tcpi_snd_wnd).toBe(5000);
    expect(t.state).toBe('ESTABLISHED');
    t.told();
  });
});

describe('ABORT (3.10.5)', () => {
  it.each([
    ['ESTABLISHED', 1, (_: Harness) => {}],
    ['FIN-WAIT-1', 2, (t: Harness) => t.shutdown()],
    [
      'FIN-WAIT-2',
      2,
      (t: Harness) => {
        t.shutdown();
        t.in('. 1:1(0) ack 2');
      },
    ],
    ['CLOSE-WAIT', 1, (t: Harness) => t.in('F. 1:1(0) ack 1')],
  ] as const)('sends <SEQ=SND.NXT><CTL=RST> in %s', (state, seq, go) => {
    const t = established();
    go(t);
    t.drain();
    expect(t.state).toBe(state);
    t.reset();
    expect(t.takeOne('R.')).toMatchObject({ relSeq: seq, options: [] });
    t.quietFor(1e6);
    expect(t.tcp.connectionCount).toBe(0);
  });

  it.each([
    [
      'CLOSING',
      (t: Harness) => {
        t.shutdown();
        t.in('F. 1:1(0) ack 1');
      },
    ],
    [
      'LAST-ACK',
      (t: Harness) => {
        t.in('F. 1:1(0) ack 1');
        t.shutdown();
      },
    ],
    [
      'TIME-WAIT',
      (t: Harness) => {
        t.shutdown();
        t.in('F. 1:1(0) ack 2');
      },
    ],
    ['SYN-SENT', undefined],
  ] as const)('sends nothing in %s', (state, go) => {
    const t = new Harness();
    if (go === undefined) t.open();
    else go(t.connect());
    t.drain();
    expect(t.state).toBe(state);
    t.reset();
    t.quietFor(1e6);
    expect(t.tcp.connectionCount).toBe(0);
  });

  it('drops unread and unsent data', () => {
    const t = established();
    t.in('P. 1:101(100) ack 1');
    t.write(100_000);
    t.drain();
    const before = t.c.sndNxt;
    t.reset();
    expect(t.takeOne('R.').seq).toBe(before);
    t.quietFor(1e6);
  });
});
