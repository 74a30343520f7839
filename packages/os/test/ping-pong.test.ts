import { Memory } from '@qanat/bytes';
import { VirtualClock } from '@qanat/clock';
import { type DomainExit, Hypervisor, type LaunchedDomain } from '@qanat/xen';
import { describe, expect, it } from 'vitest';
import { CooperativeScheduler, type TurnScheduler, VirtualScheduler } from '../src/index.ts';

const ROUNDS = 2000;

/** The images that threads.test.ts runs in threads, here with all domains in one. */
async function run(hypervisor: Hypervisor, scheduler: TurnScheduler): Promise<DomainExit[]> {
  const exits: DomainExit[] = [];
  const start = (name: string, onMessage: (message: unknown) => void = () => {}): LaunchedDomain =>
    scheduler.launch({
      domid: hypervisor.createDomain({ name, bytes: 64 * 1024 }),
      config: { name, memoryMiB: 1, vifs: [] },
      image: new URL(`./images/${name}.mjs`, import.meta.url),
      args: { rounds: ROUNDS },
      onMessage,
      onExit: (exit) => exits.push(exit),
    });
  hypervisor.createDomain({ name: 'Domain-0', bytes: 4096 });
  const pong: { current?: LaunchedDomain } = {};
  start('ping', (message) => {
    if ((message as { port?: number }).port !== undefined) pong.current?.post(message);
  });
  pong.current = start('pong');
  await scheduler.runUntil(() => exits.length === 2);
  return exits;
}

describe('the same image, 2000 events there and back, every sleep audited', () => {
  it('on a cooperative CPU', async () => {
    const hypervisor = Hypervisor.create(Memory.create({ bytes: 8 << 20 }), { clockOriginUs: 0 });
    const exits = await run(hypervisor, new CooperativeScheduler({ hypervisor, audit: true }));
    expect(exits.map(({ code }) => code)).toEqual([0, 0]);
  });

  it('on virtual time', async () => {
    const clock = new VirtualClock();
    const hypervisor = Hypervisor.create(Memory.create({ bytes: 8 << 20 }), { clockOriginUs: 0, clock });
    const exits = await run(hypervisor, new VirtualScheduler({ hypervisor, audit: true }));
    expect(exits.map(({ code }) => code)).toEqual([0, 0]);
    expect(clock.now()).toBe(0);
  });
});
