import { describe, expect, it } from 'vitest';
import { createPair } from './pair.ts';

const SECOND = 1_000_000;

describe('ss', () => {
  it('prints a flow as `ss -tin` would', () => {
    const { a, b, time, addressB } = createPair({ impair: { delayUs: 10_000 } });
    b.listen({ port: 80, onFlow: (flow) => flow.write(new Uint8Array(3000)) });
    time.run(SECOND);
    const flow = a.connect({ host: addressB, port: 80, localPort: 40_000 });
    const buffer = new Uint8Array(1000);
    flow.onReadable = () => flow.read(buffer);
    time.run(2 * SECOND);
    const [first, second] = flow.ss().split('\n');
    expect(first!.split(/ +/)).toEqual(['ESTAB', '2000', '0', '10.0.0.1:40000', '10.0.0.2:80']);
    expect(second).toMatch(
      /^\t ts sack cubic wscale:5,5 rto:[\d.]+ rtt:[\d.]+\/[\d.]+ ato:40 mss:1448 pmtu:1500 rcvmss:1448 advmss:1460 cwnd:10 bytes_received:3000 segs_out:\d segs_in:4 data_segs_in:3 send \d+bps lastsnd:\d+ lastrcv:\d+ lastack:\d+ pacing_rate \d+bps rcv_rtt:20 rcv_space:1000 rcv_ssthresh:\d+ minrtt:[\d.]+ snd_wnd:\d+ rcv_wnd:\d+$/,
    );
    expect(flow.counters()).toMatchObject({ InSegs: 4 });
  });

  it('lists the connections of a host that are neither half open nor in TIME-WAIT', () => {
    const { a, b, time, addressB } = createPair();
    b.listen({ port: 80, onFlow: (flow) => (flow.onEnd = () => flow.close()) });
    const flows = [1, 2, 3].map((n) => a.connect({ host: addressB, port: 80, localPort: 40_000 + n }));
    expect(a.ss().match(/^SYN-SENT/gm)).toHaveLength(3);
    time.run(SECOND);
    flows[0]!.close();
    flows[1]!.shutdown();
    time.run(2 * SECOND);
    const lines = a.ss().split('\n');
    expect(lines[0]).toMatch(/^State +Recv-Q Send-Q +Local Address:Port +Peer Address:Port$/);
    expect(lines.filter((line) => !line.startsWith('\t')).slice(1)).toHaveLength(1);
    expect(a.ss()).toContain('10.0.0.1:40003');
    expect(lines[1]!.indexOf('10.0.0.2:80') + '10.0.0.2:80'.length).toBe(lines[0]!.length);
  });

  it('counts what befell one flow, apart from the others', () => {
    const { a, b, time, addressB } = createPair({ impair: [{ delayUs: 5000, lossRate: 0.1 }, undefined] });
    b.listen({
      port: 80,
      onFlow: (flow) => {
        const buffer = new Uint8Array(65536);
        flow.onReadable = () => flow.read(buffer);
      },
    });
    const flows = [1, 2].map(() => a.connect({ host: addressB, port: 80 }));
    flows[0]!.write(new Uint8Array(80_000));
    time.run(30 * SECOND);
    const [busy, idle] = flows.map((flow) => flow.counters());
    expect(busy!.RetransSegs).toBeGreaterThan(0);
    expect(busy!.TCPFastRetrans! + (busy!.TCPSlowStartRetrans ?? 0)).toBe(busy!.RetransSegs);
    expect(busy!.TCPSackRecovery).toBe(a.stats().TCPSackRecovery);
    expect(idle!.TCPSackRecovery).toBeUndefined();
    expect(flows[0]!.ss()).toMatch(/ retrans:0\/\d+ /);
  });
});
