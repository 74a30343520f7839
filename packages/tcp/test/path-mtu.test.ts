import { describe, expect, it } from 'vitest';
import { MIN_PATH_MTU, reportedMtu } from '../src/path-mtu.ts';
import { Harness } from './harness.ts';

const sender = (config = {}, options = 'mss 1460,sackOK') => {
  const t = new Harness({ lossProbe: false, congestion: 'newreno', ...config }).connect(options, { rttMs: 50 });
  return t;
};
const tooBig = (t: Harness, mtu: number) => {
  t.pathMtus.set(t.peer.address, mtu);
  t.tcp.pathMtuChanged(t.peer.address);
};

describe('ICMP fragmentation needed (RFC 1191, RFC 5927 7)', () => {
  it('is never believed below 552, the plateaus stand in for a silent router', () => {
    for (const mtu of [1, 20, 68, 551]) expect(reportedMtu(mtu, 1500)).toBe(MIN_PATH_MTU);
    expect(reportedMtu(1400, 1500)).toBe(1400);
    expect(reportedMtu(0, 1500)).toBe(1492);
    expect(reportedMtu(0, 1492)).toBe(1006);
    expect(reportedMtu(0, 600)).toBe(552);
    expect(reportedMtu(0, 100)).toBe(552);
  });

  it('counts only if it quotes what is in flight', () => {
    const t = sender();
    t.write(1000);
    t.drain();
    const believes = (seq: number) =>
      t.tcp.believesTooBig(t.localAddress, t.c.localPort, t.peer.address, t.peer.port, (t.peer.iss + seq) | 0);
    expect(believes(1)).toBe(true);
    expect(believes(1000)).toBe(true);
    expect(believes(1001)).toBe(false);
    expect(believes(0)).toBe(false);
    expect(believes(-100_000)).toBe(false);
    expect(t.tcp.believesTooBig(t.localAddress, 1, t.peer.address, t.peer.port, (t.peer.iss + 1) | 0)).toBe(false);
  });

  it('is not heeded where discovery is off (Linux: IP_PMTUDISC_DONT)', () => {
    const t = sender({ pathMtuDiscovery: false });
    t.write(1460);
    tooBig(t, 1000);
    t.drain();
    expect(t.info().tcpi_snd_mss).toBe(1460);
    expect(t.stats.RetransSegs).toBe(0);
  });

  it('sends what was too large again at once, in smaller segments, and cwnd stays', () => {
    const t = sender();
    t.write(5840);
    expect(t.drain().length).toBe(4);
    const { tcpi_snd_cwnd } = t.info();
    tooBig(t, 1000);
    const sent = t.drain();
    expect(sent[0]!.relSeq).toBe(1);
    for (const s of sent) expect(s.payload.length).toBeLessThanOrEqual(960);
    expect(t.info()).toMatchObject({ tcpi_snd_mss: 960, tcpi_snd_cwnd });
    expect(t.stats.TCPTimeouts).toBe(0);
    let una = 1;
    for (let i = 0; i < 20 && una < 5841; i++) {
      una = Math.max(una, ...sent.map((s) => s.relSeq + s.payload.length));
      t.in(`. 1:1(0) ack ${una}`);
      sent.splice(0, sent.length, ...t.drain());
    }
    expect(una).toBe(5841);
    expect(t.info().tcpi_unacked).toBe(0);
  });

  it('works without SACK, and for what was SACKed already', () => {
    for (const options of ['mss 1460', 'mss 1460,sackOK']) {
      const t = sender({}, options);
      t.write(14_600);
      t.drain();
      t.in(`. 1:1(0) ack 1${options.includes('sackOK') ? ' <nop,nop,sack 4381:7301>' : ''}`);
      t.drain();
      tooBig(t, 600);
      let end = 1;
      for (let i = 0; i < 100 && end < 14_601; i++) {
        for (const s of t.drain()) {
          expect(s.payload.length).toBeLessThanOrEqual(560);
          if (s.relSeq <= end) end = Math.max(end, s.relSeq + s.payload.length);
          if (end === 4381) end = 7301;
        }
        t.in(`. 1:1(0) ack ${end}`);
        t.wait(20);
      }
      expect(end).toBe(14_601);
    }
  });

  it('that says what is known changes nothing', () => {
    const t = sender();
    t.write(5840);
    t.drain();
    tooBig(t, 1500);
    tooBig(t, 4000);
    t.quiet();
    expect(t.info()).toMatchObject({ tcpi_snd_mss: 1460, tcpi_ca_state: 0 });
  });

  it('concerns every connection to that host', () => {
    const t = new Harness();
    const peers = [1, 2].map((port) => t.peerOn(port, { localPort: 100 + port }));
    for (const from of peers) {
      t.open({}, from);
      t.in('S. 0:0(0) ack 1 <mss 1460>', { from });
    }
    t.drain();
    tooBig(t, 700);
    for (const c of t.tcp.connections) expect(c.mss).toBe(660);
  });
});

describe('packetization-layer discovery (RFC 4821)', () => {
  const probing = (mtu: number) => {
    const t = new Harness({ mtuProbing: 'always', lossProbe: false, initialCwnd: 40, congestion: 'none' });
    t.connect('mss 1460,sackOK', { rttMs: 20 });
    let una = 1;
    let largest = 0;
    for (let i = 0; i < 300 && una < 1_000_000; i++) {
      t.write(60_000);
      const sent = t.drain();
      const lost = sent.filter((s) => s.payload.length + 40 > mtu);
      const arrived = sent.filter((s) => s.payload.length + 40 <= mtu).sort((a, b) => a.relSeq - b.relSeq);
      for (const s of arrived) largest = Math.max(largest, s.payload.length);
      t.wait(20);
      let high = una;
      for (const s of arrived) if (s.relSeq === high) high += s.payload.length;
      const beyond = arrived.filter((s) => s.relSeq > high);
      if (beyond.length > 0) {
        const right = Math.max(...beyond.map((s) => s.relSeq + s.payload.length));
        t.in(`. 1:1(0) ack ${high} <nop,nop,sack ${beyond[0]!.relSeq}:${right}>`);
        const again = t.drain();
        t.wait(20);
        void lost;
        if (again.length > 0) high = right;
        t.in(`. 1:1(0) ack ${high}`);
      } else {
        t.in(`. 1:1(0) ack ${high}`);
      }
      una = Math.max(una, high);
    }
    return { t, largest };
  };

  it('finds the size of the path with data, from the base upwards', () => {
    const { t, largest } = probing(1500);
    expect(largest).toBeGreaterThan(1440);
    expect(t.stats.TCPMTUPSuccess).toBeGreaterThan(0);
  });

  it('begins at the base', () => {
    const t = new Harness({ mtuProbing: 'always', baseMss: 512 }).connect('mss 1460');
    expect(t.info().tcpi_snd_mss).toBe(512);
  });

  it('finds a black hole by timeouts, and gets through it', () => {
    const t = sender({ mtuProbing: 'blackhole', retries2: 15 });
    t.write(14_600);
    let end = 1;
    for (let i = 0; i < 60 && end < 14_601; i++) {
      for (const s of t.drain()) {
        // Large packets vanish without a word.
        if (s.payload.length + 40 > 1100) continue;
        if (s.relSeq <= end) end = Math.max(end, s.relSeq + s.payload.length);
      }
      if (end > 1) t.in(`. 1:1(0) ack ${end}`);
      t.wait(1000);
    }
    expect(end).toBe(14_601);
  });

  it('takes the suspicion back when the timeouts were spurious: what is late was not swallowed', () => {
    const t = new Harness({ mtuProbing: 'blackhole', lossProbe: false }).connect('mss 1460,sackOK,TS 0 ecr 0', {
      rttMs: 100,
    });
    t.write(14_480);
    const first = t.drain()[0]!;
    expect(first.payload.length).toBe(1448);
    const echo = t.peer.lastTsVal - t.peer.tsZero;
    t.wait(30_000);
    t.drain();
    expect(t.info().tcpi_snd_mss).toBeLessThan(600);
    t.in(`. 1:1(0) ack 1449 <nop,nop,TS 9000 ecr ${echo}>`);
    expect(t.info().tcpi_snd_mss).toBe(1448);
  });

  it('searches upwards again from a small window after an outage: segments of a few bytes would keep it small', () => {
    const t = new Harness({ mtuProbing: 'blackhole', lossProbe: false }).connect('mss 1460', { rttMs: 100 });
    t.write(2920);
    t.drain();
    // A real outage: the segments are gone, and each timeout halves the size.
    t.wait(20_000);
    t.drain();
    const small = t.info().tcpi_snd_mss;
    expect(small).toBeLessThan(300);
    t.write(40_000);
    let end = 1;
    let cwnd = 0;
    for (let i = 0; i < 100 && cwnd === 0; i++) {
      t.wait(end === 1 ? 10_000 : 100);
      for (const { relSeq, payload } of t.drain()) {
        if (relSeq === end) end += payload.length;
        if (payload.length > small) cwnd = t.info().tcpi_snd_cwnd;
      }
      if (end > 1) t.in(`. 1:1(0) ack ${end}`);
    }
    expect(cwnd).toBeGreaterThanOrEqual(5);
    expect(cwnd).toBeLessThan(11);
  });
});
