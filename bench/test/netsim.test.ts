import { describe, expect, it } from 'vitest';
import { severalFlows } from '../src/netsim-flows.ts';
import { LOSS_RATES, matrix, matrixTable, RTT_US, SMOLTCP } from '../src/netsim-matrix.ts';
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
});
