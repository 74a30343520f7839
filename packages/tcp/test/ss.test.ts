import { describe, expect, it } from 'vitest';
import { formatSs, SS_HEADER, type SsInfo, ssInfo } from '../src/index.ts';
import { Harness } from './harness.ts';

/** A connection that has seen much, changed as a test likes. */
function infoOf(changes: Partial<SsInfo> & Record<string, number | string> = {}): SsInfo {
  const t = new Harness().connect('mss 1000,sackOK,TS 0 ecr 0,nop,wscale 7', { rttMs: 10 });
  return { ...ssInfo(t.c, t.time.clock.now()), ...changes };
}

function second(changes: Partial<SsInfo> & Record<string, number | string> = {}): string {
  return formatSs(infoOf(changes), 'a:1', 'b:2').split('\n')[1]!;
}

describe('ss -tin', () => {
  it('puts state, queues and addresses under their heads', () => {
    const [first] = formatSs(infoOf({ recvQ: 7, sendQ: 123_456 }), '10.0.0.1:8080', '10.0.0.2:4000').split('\n');
    expect(SS_HEADER).toBe('State      Recv-Q Send-Q    Local Address:Port     Peer Address:Port');
    expect(first).toBe('ESTAB      7      123456         10.0.0.1:8080         10.0.0.2:4000');
  });

  it('prints a fresh connection', () => {
    expect(second()).toBe(
      '\t ts sack cubic wscale:7,5 rto:210 rtt:10/5 mss:988 pmtu:1500 rcvmss:524 advmss:1460 cwnd:10 segs_out:2 ' +
        'segs_in:1 send 7904000bps lastsnd:10 pacing_rate 15808000bps rcv_space:14600 rcv_ssthresh:65535 minrtt:10 snd_wnd:65535 rcv_wnd:65536',
    );
  });

  it('prints everything that is not zero, in its order', () => {
    const line = second({
      tcpi_options: 1 | 2 | 4 | 8 | 32,
      tcpi_rto: 408_000,
      tcpi_backoff: 1,
      tcpi_rtt: 30,
      tcpi_rttvar: 10,
      tcpi_ato: 40_000,
      tcpi_snd_mss: 1448,
      tcpi_rcv_mss: 1448,
      tcpi_snd_cwnd: 20,
      tcpi_snd_ssthresh: 14,
      tcpi_bytes_sent: 5_000_000_000,
      tcpi_bytes_retrans: 1448,
      tcpi_bytes_acked: 4_999_000_000,
      tcpi_bytes_received: 1,
      tcpi_segs_out: 10,
      tcpi_segs_in: 11,
      tcpi_data_segs_out: 12,
      tcpi_data_segs_in: 13,
      tcpi_last_data_sent: 1,
      tcpi_last_data_recv: 2,
      tcpi_last_ack_recv: 3,
      tcpi_pacing_rate: 2_000_000,
      tcpi_max_pacing_rate: 3_000_000,
      tcpi_delivery_rate: 1_234_567,
      tcpi_delivery_rate_app_limited: 1,
      tcpi_delivered: 9,
      tcpi_delivered_ce: 1,
      tcpi_busy_time: 3_000_000,
      tcpi_rwnd_limited: 1_000_000,
      tcpi_sndbuf_limited: 500_000,
      tcpi_unacked: 8,
      tcpi_retrans: 1,
      tcpi_total_retrans: 2,
      tcpi_lost: 3,
      tcpi_sacked: 4,
      tcpi_dsack_dups: 5,
      tcpi_reordering: 6,
      tcpi_reord_seen: 1,
      tcpi_rcv_rtt: 1500,
      tcpi_notsent_bytes: 99,
      tcpi_min_rtt: 25,
      tcpi_rcv_ooopack: 2,
      tcpi_rcv_space: 14_480,
      tcpi_rcv_ssthresh: 64_088,
      tcpi_snd_wnd: 1000,
      tcpi_rcv_wnd: 2000,
    });
    expect(line).toBe(
      '\t ts sack ecn fastopen cubic wscale:7,5 rto:408 backoff:1 rtt:0.03/0.01 ato:40 mss:1448 pmtu:1500 rcvmss:1448 ' +
        'advmss:1460 cwnd:20 ssthresh:14 bytes_sent:5000000000 bytes_retrans:1448 bytes_acked:4999000000 ' +
        'bytes_received:1 segs_out:10 segs_in:11 data_segs_out:12 data_segs_in:13 send 7722666667bps lastsnd:1 ' +
        'lastrcv:2 lastack:3 pacing_rate 16000000bps/24000000bps delivery_rate 9876536bps delivered:9 delivered_ce:1 ' +
        'app_limited busy:3000ms rwnd_limited:1000ms(33.3%) sndbuf_limited:500ms(16.7%) unacked:8 retrans:1/2 lost:3 ' +
        'sacked:4 dsack_dups:5 reordering:6 reord_seen:1 rcv_rtt:1.5 rcv_space:14480 rcv_ssthresh:64088 notsent:99 ' +
        'minrtt:0.025 rcv_ooopack:2 snd_wnd:1000 rcv_wnd:2000',
    );
  });

  it('leaves out rates without a limit, and a threshold that was never set', () => {
    const line = second({ tcpi_pacing_rate: 2 ** 64, tcpi_max_pacing_rate: 2 ** 64, tcpi_snd_ssthresh: 0x7fffffff });
    expect(line).not.toMatch(/pacing_rate|ssthresh:2147/);
    expect(second({ tcpi_pacing_rate: 1000, tcpi_max_pacing_rate: 2 ** 64 })).toContain(' pacing_rate 8000bps ');
  });

  it.each([
    [30, '0.03'],
    [204_000, '204'],
    [1_234_567, '1234.57'],
    [119_999_999, '120000'],
    [1_000_000_000, '1e+06'],
    [1_234_500_000, '1.2345e+06'],
    [0.05, '5e-05'],
  ])('prints %d us as C does with %%g: %s ms', (us, text) => {
    expect(second({ tcpi_rto: us })).toContain(` rto:${text} `);
  });
});
