import { describe, expect, it } from 'vitest';
import { Harness, type Peer } from './harness.ts';

const ALL = 'mss 1460,sackOK,TS 0 ecr 0,nop,wscale 7';

/** A listener whose backlog is full of half-open connections. */
const flooded = (config = {}) => {
  const t = new Harness(config);
  t.listen(1);
  t.in('S 0:0(0) <mss 1000>', { from: t.peerOn(1) });
  t.drain();
  return t;
};
const syn = (t: Harness, options = 'mss 1460', port = 5000): Peer => {
  const from = t.peerOn(port, { irs: 0x7abc0000 + port });
  from.timestamps = options.includes('TS');
  t.in(`S 0:0(0) win 5000 <${options}>`, { from });
  return from;
};

describe('SYN cookies (RFC 4987 3.6)', () => {
  it('answer a SYN beyond the backlog and hold nothing for it', () => {
    const t = flooded();
    const free = t.tcp.connectionCount;
    syn(t);
    t.out('S. 0:0(0) ack 1 <mss 1460>');
    expect(t.tcp.connectionCount).toBe(free);
    expect(t.time.timers.size).toBe(1);
    expect(t.stats.SyncookiesSent).toBe(1);
  });

  it.each(['.', 'P.', 'F.', 'FP.'])('%s completes the handshake, with its data', (flags) => {
    const t = flooded();
    const from = syn(t);
    t.drain();
    const bytes = flags.includes('P') ? 100 : 0;
    t.in(`${flags} 1:${1 + bytes}(${bytes}) ack 1 win 5000`, { from });
    expect(t.events[0]).toBe('accept');
    expect(t.state).toBe(flags.includes('F') ? 'CLOSE-WAIT' : 'ESTABLISHED');
    if (bytes > 0) expect(t.read()).toBe(bytes);
    expect(t.stats.SyncookiesRecv).toBe(1);
  });

  it.each(['S.', 'R.', 'R'])('%s does not', (flags) => {
    const t = flooded();
    const from = syn(t);
    t.drain();
    t.in(`${flags} 1:1(0) ack 1`, { from });
    t.told();
    if (flags === 'S.') t.takeOne('R');
    t.quiet();
  });

  it('keep MSS, scale and SACK, in the timestamp', () => {
    const t = flooded();
    const from = syn(t, ALL);
    expect(
      t
        .takeOne('S.')
        .options.filter((o) => o.kind !== 'nop')
        .map((o) => o.kind),
    ).toEqual(['mss', 'sackOK', 'TS', 'wscale']);
    t.in('. 1:1(0) ack 1 win 1000', { from });
    t.told('accept');
    expect(t.info()).toMatchObject({
      tcpi_options: 7,
      tcpi_snd_wscale: 7,
      tcpi_snd_wnd: 1000 << 7,
      tcpi_snd_mss: 1448,
    });
    t.write(3000);
    expect(t.takeOne('.').payload.length).toBe(1448);
  });

  it('keep only the MSS where there are no timestamps', () => {
    const t = flooded();
    const from = syn(t, 'mss 1300,sackOK,nop,wscale 7');
    t.out('S. 0:0(0) ack 1 <mss 1460>');
    t.in('. 1:1(0) ack 1 win 100', { from });
    expect(t.info()).toMatchObject({ tcpi_options: 0, tcpi_snd_wnd: 100 });
  });

  it.each([
    [1460, 1460],
    [9000, 1460],
    [1459, 1440],
    [1350, 1300],
    [536, 536],
  ])('round an MSS of %i down to %i', (mss, kept) => {
    const t = flooded();
    const from = syn(t, `mss ${mss}`);
    t.drain();
    t.in('. 1:1(0) ack 1 win 65535', { from });
    t.write(20_000);
    expect(t.takeOne('.').payload.length).toBe(kept);
  });

  it('hold for one to two minutes', () => {
    const t = flooded();
    const late = syn(t, 'mss 1460', 5001);
    t.wait(60_000);
    t.in('. 1:1(0) ack 1', { from: late });
    t.told('accept');
    const s = flooded();
    const old = syn(s, 'mss 1460', 5003);
    s.drain();
    s.wait(130_000);
    s.drain();
    s.in('. 1:1(0) ack 1', { from: old });
    expect(s.events).toEqual([]);
    s.takeOne('R');
  });

  it('cannot be guessed or moved to another pair of ends', () => {
    const t = flooded();
    const from = syn(t);
    t.drain();
    for (const ack of [0, 2, 3, 4, 5, 1000, -1]) {
      t.in(`. 1:1(0) ack ${ack}`, { from });
      t.takeOne('R');
    }
    const thief = t.peerOn(5555, { irs: from.irs });
    thief.iss = from.iss;
    t.in('. 1:1(0) ack 1', { from: thief });
    t.takeOne('R');
    t.in('. 2:2(0) ack 1', { from });
    t.takeOne('R');
    t.told();
    t.in('. 1:1(0) ack 1', { from });
    t.told('accept');
  });

  it('complete also when the backlog has emptied meanwhile', () => {
    const t = flooded();
    const from = syn(t);
    t.drain();
    t.in('R 1:1(0)', { from: t.peers.find((p) => p.port === 1)! });
    t.in('. 1:1(0) ack 1', { from });
    t.told('accept');
  });

  it('take no round trip from a SYN-ACK of which nothing is known', () => {
    const t = flooded();
    const from = syn(t);
    t.drain();
    t.wait(5000);
    t.in('. 1:1(0) ack 1', { from });
    expect(t.info().tcpi_rtt).toBe(0);
    expect(t.info().tcpi_rto).toBe(1_000_000);
  });

  it('can be turned off', () => {
    const t = flooded({ synCookies: false });
    syn(t);
    t.quiet();
  });

  it('serve a flood of SYNs at no cost in memory', () => {
    const t = flooded();
    for (let port = 10; port < 2000; port++) syn(t, ALL, port);
    expect(t.drain().length).toBe(1990);
    expect(t.tcp.connectionCount).toBe(1);
  });
});
