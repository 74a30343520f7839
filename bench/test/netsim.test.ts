import { describe, expect, it } from 'vitest';
import { severalFlows } from '../src/netsim-flows.ts';
import { idealFlows } from '../src/netsim-ideal.ts';
import { LOSS_RATES, matrix, matrixTable, RTT_US, SMOLTCP } from '../src/netsim-matrix.ts';
import { steadyFlows } from '../src/netsim-steady.ts';
import { transfer } from '../src/netsim-transfer.ts';

const base = { bytes: 65_536, bufferBytes: 8192, lossRate: 0, rttUs: RTT_US, congestion: 'none', seed: 1 } as const;

describe('netsim', () => {
  it('is limited by the window where nothing is lost', () => {
    const { goodput, retransmitted, segments } = transfer(base);
    // 8192 bytes per 100 ms, with a rest at the end.
    expect(goodput).toBeGreaterThan(76_000);
    expect(goodput).toBeLessThan(90_000);
    expect(retransmitted).toBe(0);
    expect(segments).toBeGreaterThanOrEqual(45);
  });

  it('gives the same figures for the same seed, others for another', () => {
    const lossy = { ...base, lossRate: 0.05 };
    const first = transfer(lossy);
    expect(transfer({ ...lossy, seed: 2 }).virtualUs).not.toBe(first.virtualUs);
    expect(transfer(lossy)).toEqual(first);
    expect(first.retransmitted).toBeGreaterThan(0);
  });

  it('holds all cells of the published matrix, and compares with them', () => {
    expect(SMOLTCP.length * LOSS_RATES.length).toBe(72);
    for (const [, row] of SMOLTCP) expect(row).toHaveLength(LOSS_RATES.length);
    const cells = matrix({
      congestions: ['none', 'cubic'],
      buffers: [4096, 65_536],
      lossRates: [0, 0.02],
      bytes: 65_536,
      seed: 1,
    });
    expect(cells.map((cell) => cell.smoltcp)).toEqual([
      35062.41,
      21886.99,
      undefined,
      undefined,
      ...new Array(4).fill(undefined),
    ]);
    expect(cells[2]!.bytes).toBe(40 * 65_536);
    expect(matrixTable(cells).join('\n')).toMatch(/2 of 2 cells at smoltcp's figure or above/);
  });

  it('runs several flows through one bottleneck', () => {
    const options = { flows: 4, congestion: 'cubic', pacing: true, bytesPerFlow: 200_000, seed: 1 } as const;
    const result = severalFlows(options);
    expect(result.least).toBeGreaterThan(0);
    expect(result.aggregate).toBeLessThan(25e6);
    expect(result.jain).toBeGreaterThan(0.25);
    expect(result.jain).toBeLessThanOrEqual(1);
    expect(severalFlows(options)).toEqual({
      ...result,
      ms: expect.any(Number),
    });
  });

  it('knows what flows that double each round trip can reach at most', () => {
    const small = idealFlows(16, 2 << 20, 1);
    expect(small.busy).toBeGreaterThan(0.7);
    expect(small.busy).toBeLessThan(0.8);
    const long = idealFlows(16, 200 << 20, 1);
    expect(long.busy).toBeGreaterThan(0.99);
    expect(long.jain).toBeGreaterThan(0.999);
    const real = severalFlows({ flows: 16, congestion: 'bbr', pacing: false, bytesPerFlow: 2 << 20, seed: 1 });
    expect(real.busy).toBeLessThan(small.busy);
  }, 120_000);

  it('paced CUBIC fills a bottleneck with a queue of 64 KiB from 16 flows on, and hardly loses', () => {
    const steady = { flows: 16, congestion: 'cubic', seed: 1, warmSeconds: 5, seconds: 3 } as const;
    const paced = steadyFlows({ ...steady, pacing: true });
    expect(paced.busy).toBeGreaterThan(0.9);
    expect(paced.drops).toBeLessThan(0.005);
    expect(steadyFlows({ ...steady, pacing: false }).busy).toBeLessThan(0.8);
  }, 120_000);

  it('flows of BBR share a bottleneck, none starves', () => {
    const shared = { flows: 8, congestion: 'bbr', pacing: false, seed: 1, warmSeconds: 4, seconds: 6 } as const;
    const { jain, busy, least, most } = steadyFlows({ ...shared, rttUs: 50_000 });
    expect(jain).toBeGreaterThan(0.8);
    expect(busy).toBeGreaterThan(0.8);
    expect(most / least).toBeLessThan(3);
  }, 120_000);
});
