import { describe, expect, it } from 'vitest';
import { checkAffinity } from '../src/affinity.ts';
import { planMachine, VIRTUAL_RATE } from '../src/machine-plan.ts';
import { type IperfOptions, parseOptions } from '../src/options.ts';
import { planStreams, type TrafficArgs } from '../src/protocol.ts';
import { UsageError } from '../src/usage-error.ts';

function plan(line: string, live = false) {
  const options = parseOptions(line.split(' ').filter(Boolean)) as IperfOptions;
  const planned = planMachine(options, planStreams(options.direction, options.parallel, options.bytes), live);
  const vif = (role: 'client' | 'server') => planned[role].vifs![0]!;
  const args = (role: 'client' | 'server') => planned[role].args as TrafficArgs;
  return { ...planned, vif, args };
}

describe('planMachine', () => {
  it('gives both domains their addresses on one bridge, and a link without faults', () => {
    const { vif, machine } = plan('');
    expect(vif('server')).toEqual({ bridge: 'xenbr0', ip: '192.168.8.101/24', mtu: 1500, txqueuelen: 1000 });
    expect(vif('client').ip).toBe('192.168.8.102/24');
    expect(machine).toMatchObject({ cpus: 'threads', seed: 1, audit: false });
    expect(machine.memoryMiB).toBeLessThan(256);
  });

  it('keeps the threads to the CPUs that were named, and says so of one that is not there', () => {
    const { machine, server, client } = plan('-A 3,1,0');
    expect([machine.dom0Affinity, server.affinity, client.affinity]).toEqual([3, 1, 0]);
    expect(plan('').machine.dom0Affinity).toBeUndefined();
    const named = { dom0: 3, server: 1, client: 0 };
    checkAffinity(named, [0, 1, 2, 3]);
    expect(() => checkAffinity(named, [0, 1])).toThrow(
      '-A/--affinity: there is no CPU 3 to run on, give three of 0, 1',
    );
    expect(() => checkAffinity(named, [])).toThrow(UsageError);
  });

  it('impairs both directions, each with chance of its own from the seed', () => {
    const { vif } = plan('--delay 5 --loss 1 --rate 10M --txqueuelen 50 --seed 3');
    const impair = { delayUs: 5000, lossRate: 0.01, rateBitsPerSecond: 1e7, queuePackets: 50 };
    expect(vif('server').impair).toEqual({ ...impair, seed: 6 });
    expect(vif('client').impair).toEqual({ ...impair, seed: 7 });
  });

  it('gives a link on virtual time a rate, for without one nothing takes time', () => {
    expect(plan('--machine virtual').vif('client').impair).toMatchObject({ rateBitsPerSecond: VIRTUAL_RATE });
    expect(plan('--machine virtual --rate 5M').vif('client').impair).toMatchObject({ rateBitsPerSecond: 5e6 });
    expect(plan('--machine cooperative').vif('client').impair).toBeUndefined();
  });

  it('tells the images what to do', () => {
    const { args } = plan('-n 1M -w 256K -M 1000 -N -C reno -i 0.5 -l 4K --verify --seed 9', true);
    expect(args('client')).toMatchObject({
      role: 'client',
      durationUs: 0,
      intervalUs: 500_000,
      length: 4096,
      verify: true,
      flowLogRecords: 0,
      trace: false,
      traceFlushUs: 0,
      tcp: { sndBuf: 262_144, rcvBuf: 262_144, mss: 1000, noDelay: true, congestion: 'newreno' },
    });
    expect(args('client').liveUs).toBeGreaterThan(0);
    expect(args('server').liveUs).toBe(0);
    expect(plan('-t 2.5').args('server').durationUs).toBe(2_500_000);
    expect(plan('--no-gso').args('server').tcp).toEqual({ congestion: 'cubic', noDelay: false });
    // Super-segments want more under way; many flows share it.
    const buffers = (mib: number) => ({ sndBuf: mib << 20, rcvBuf: mib << 20 });
    expect(plan('').args('server').tcp).toEqual({ congestion: 'cubic', noDelay: false, ...buffers(4) });
    expect(plan('-P 8').args('client').tcp).toMatchObject(buffers(2));
    expect(plan('-P 64').args('client').tcp).toEqual({ congestion: 'cubic', noDelay: false });
    expect(plan('--flow-log x.log').args('server').flowLogRecords).toBeGreaterThan(0);
    expect(plan('--flow-log x.qflow').args('server')).toMatchObject({ flowLogRecords: 0, trace: true });
  });

  it('grows with the buffers, and says when it would be too much', () => {
    expect(plan('-P 16 -w 4M').machine.memoryMiB).toBeGreaterThan(16 * 4 * 2 * 2);
    expect(plan('--txqueuelen 20000').machine.dom0MemoryMiB).toBeGreaterThan(160);
    expect(() => plan('-P 128 -w 16M')).toThrow(UsageError);
    expect(() => plan('-P 128 -w 16M')).toThrow(/need \d+ MiB.*lower -P, -w or --txqueuelen/);
    expect(() => plan('--txqueuelen 1000000')).toThrow(UsageError);
  });
});
