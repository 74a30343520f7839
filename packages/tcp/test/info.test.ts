import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

describe('tcp_info', () => {
  it('of a fresh connection', () => {
    const t = new Harness().connect('mss 1000,sackOK,TS 0 ecr 0,nop,wscale 7', { rttMs: 10 });
    const info = t.info();
    expect(info).toMatchObject({
      tcpi_state: 1,
      tcpi_ca_state: 0,
      tcpi_options: 7,
      tcpi_snd_wscale: 7,
      tcpi_snd_cwnd: 10,
      tcpi_snd_mss: 988,
      tcpi_advmss: 1460,
      tcpi_pmtu: 1500,
      tcpi_unacked: 0,
      tcpi_rtt: 10_000,
      tcpi_total_retrans: 0,
    });
    expect(info.tcpi_rto).toBeGreaterThan(info.tcpi_rtt);
  });

  it('after an RTO: CA_Loss, one segment of window', () => {
    const t = new Harness({ lossProbe: false }).connect('mss 1000', { rttMs: 10 });
    t.write(5000);
    t.drain();
    t.next('. 1:1001(1000) ack 1');
    expect(t.info()).toMatchObject({
      tcpi_ca_state: 4,
      tcpi_snd_cwnd: 1,
      tcpi_retransmits: 1,
      tcpi_lost: 5,
      tcpi_retrans: 1,
    });
  });

  it('counts bytes and segments both ways', () => {
    const t = new Harness({ quickAcks: 0, lossProbe: false }).connect('mss 1000');
    const before = t.info();
    t.write(2500);
    t.in('. 1:1001(1000) ack 1001');
    t.in('. 1001:2001(1000) ack 2501');
    t.read();
    const after = t.info();
    expect(after.tcpi_bytes_sent - before.tcpi_bytes_sent).toBe(2500);
    expect(after.tcpi_bytes_acked - before.tcpi_bytes_acked).toBe(2500);
    expect(after.tcpi_bytes_received - before.tcpi_bytes_received).toBe(2000);
    expect(after.tcpi_data_segs_in - before.tcpi_data_segs_in).toBe(2);
    expect(after.tcpi_data_segs_out - before.tcpi_data_segs_out).toBe(3);
    expect(after.tcpi_segs_in - before.tcpi_segs_in).toBe(2);
    expect(after.tcpi_delivered).toBe(3);
  });

  it('accounts what a sender waited for: busy, receive window, send buffer', () => {
    const t = new Harness({ lossProbe: false, sndBuf: 4000, initialCwnd: 100 }).connect('mss 1000', { win: 2000 });
    t.wait(1000);
    expect(t.info()).toMatchObject({ tcpi_busy_time: 0, tcpi_rwnd_limited: 0, tcpi_sndbuf_limited: 0 });
    t.write(4000);
    t.drain();
    t.wait(100);
    expect(t.info()).toMatchObject({ tcpi_busy_time: 100_000, tcpi_rwnd_limited: 100_000, tcpi_sndbuf_limited: 0 });
    t.in('. 1:1(0) ack 2001 win 60000');
    t.write(5000);
    t.wait(100);
    const info = t.info();
    expect(info.tcpi_busy_time).toBe(200_000);
    expect(info.tcpi_rwnd_limited).toBe(100_000);
    expect(info.tcpi_sndbuf_limited).toBe(100_000);
    t.in(`. 1:1(0) ack ${(t.c.sndNxt - t.peer.iss) | 0}`);
    t.wait(1000);
    expect(t.info().tcpi_busy_time).toBe(200_000);
  });
});

describe('auto-tuning', () => {
  it('begins small and grows with what the application reads', () => {
    const t = new Harness({ rcvBuf: 4 << 20, quickAcks: 1e9 }, { memoryBytes: 64 << 20 });
    const auto = new Harness({}, { memoryBytes: 64 << 20 });
    expect(t.config.autoTune).toBe(false);
    expect(auto.config.autoTune).toBe(true);
    auto.connect('mss 1460,sackOK,TS 0 ecr 0,nop,wscale 7', { rttMs: 50 });
    auto.readAll = true;
    let at = 1;
    let widest = 0;
    for (let round = 0; round < 30; round++) {
      const window = auto.c.rcvWnd;
      widest = Math.max(widest, window);
      auto.batch(() => {
        for (let sent = 0; sent + 1448 <= window; sent += 1448) {
          auto.feed(`. ${at}:${at + 1448}(1448) ack 1`);
          at += 1448;
        }
      });
      auto.drain();
      auto.wait(50);
      auto.drain();
    }
    expect(widest).toBeGreaterThan(500_000);
  });

  it('stays small for an application that does not read', () => {
    const t = new Harness({}, { memoryBytes: 64 << 20 }).connect('mss 1460,nop,wscale 7', { rttMs: 50 });
    let at = 1;
    for (let i = 0; i < 500 && t.c.rcvWnd >= 1460; i++) {
      t.in(`. ${at}:${at + 1460}(1460) ack 1`);
      at += 1460;
      if (i % 10 === 0) t.wait(50);
    }
    expect(at).toBeLessThan(200_000);
  });

  it('lets the send buffer follow cwnd', () => {
    const t = new Harness({ lossProbe: false }, { memoryBytes: 64 << 20 }).connect('mss 1460,nop,wscale 7', {
      rttMs: 50,
    });
    const first = t.write(400_000);
    expect(first).toBeLessThan(200_000);
    let una = 1;
    let largest = 0;
    for (let i = 0; i < 40; i++) {
      for (const s of t.drain()) una = Math.max(una, s.relSeq + s.payload.length);
      t.wait(50);
      t.in(`. 1:1(0) ack ${una} win 60000`);
      largest = Math.max(largest, t.write(400_000));
    }
    expect(largest).toBeGreaterThan(300_000);
  });

  it('survives configure', () => {
    const t = new Harness({}, { memoryBytes: 64 << 20 }).connect('mss 1460');
    t.configure({ noDelay: true });
    expect(t.c.config.autoTune).toBe(true);
  });
});
