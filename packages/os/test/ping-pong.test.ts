import { Memory } from '@qanat/bytes';
import { Timer, VirtualClock } from '@qanat/clock';
import { type DomainExit, Hypervisor, type Launcher } from '@qanat/xen';
import { describe, expect, it } from 'vitest';
import { CooperativeScheduler, type Image, type Kernel, VirtualScheduler } from '../src/index.ts';

const ROUNDS = 1000;

/** Offers a port to the other domain, tells the host, and answers each event until it has seen enough. */
const pinger: Image = {
  main(kernel: Kernel): void {
    const port = kernel.hypercalls.evtchnAllocUnbound(2);
    let rounds = 0;
    kernel.activations.bind(port, () => {
      if (++rounds === ROUNDS) kernel.exit(0);
      kernel.hypercalls.evtchnSend(port);
    });
    kernel.post(port);
  },
};

const ponger: Image = {
  main(kernel: Kernel): void {
    kernel.onHostMessage = (message) => {
      const port = kernel.hypercalls.evtchnBindInterdomain(1, message as number);
      let rounds = 0;
      kernel.activations.bind(port, () => {
        kernel.hypercalls.evtchnSend(port);
        if (++rounds === ROUNDS) kernel.exit(0);
      });
    };
  },
};

async function run(hypervisor: Hypervisor, launcher: Launcher<Image>): Promise<DomainExit[]> {
  const exits: DomainExit[] = [];
  const start = (name: string, image: Image, onMessage: (message: unknown) => void) => {
    const domid = hypervisor.createDomain({ name, bytes: 64 * 1024 });
    return launcher.launch({
      domid,
      config: { name, memoryMiB: 1, vifs: [] },
      image,
      args: undefined,
      onMessage,
      onExit: (exit) => exits.push(exit),
    });
  };
  hypervisor.createDomain({ name: 'Domain-0', bytes: 4096 });
  const pong = { current: undefined as ReturnType<typeof start> | undefined };
  start('ping', pinger, (message) => pong.current?.post(message));
  pong.current = start('pong', ponger, () => {});
  await launcher.runUntil(() => exits.length === 2, 0);
  return exits;
}

describe('ping-pong over an event channel', () => {
  it('cooperative', async () => {
    const hypervisor = Hypervisor.create(Memory.create({ bytes: 8 << 20 }), { clockOriginUs: 0 });
    const exits = await run(hypervisor, new CooperativeScheduler({ hypervisor, audit: true }));
    expect(exits.map(({ code }) => code)).toEqual([0, 0]);
  });

  it('virtual', async () => {
    const clock = new VirtualClock();
    const hypervisor = Hypervisor.create(Memory.create({ bytes: 8 << 20 }), { clockOriginUs: 0, clock });
    const exits = await run(hypervisor, new VirtualScheduler({ hypervisor, audit: true }));
    expect(exits.map(({ code }) => code)).toEqual([0, 0]);
    void Timer;
  });
});
