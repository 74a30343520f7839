import { Memory } from '@qanat/bytes';
import { Timer, VirtualClock } from '@qanat/clock';
import { type DomainExit, Hypervisor, type LaunchedDomain, VIRQ_DEBUG } from '@qanat/xen';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  CooperativeScheduler,
  DeadlockError,
  type Image,
  type Kernel,
  readKernelStats,
  type TurnScheduler,
  VirtualScheduler,
} from '../src/index.ts';

interface Host {
  readonly hypervisor: Hypervisor;
  readonly scheduler: TurnScheduler;
  readonly exits: DomainExit[];
  readonly messages: unknown[];
  start(name: string, image: Image | URL | string, onMessage?: (message: unknown) => void): LaunchedDomain;
  /** Runs until as many domains have exited. */
  exited(count?: number): Promise<void>;
}

function host(
  kind: 'cooperative' | 'virtual',
  options: { seed?: number; passNs?: number; hypercallNs?: number; turns?: 'domid' | 'random' } = {},
): Host {
  const memory = Memory.create({ bytes: 8 << 20 });
  const virtual = kind === 'virtual';
  const hypervisor = Hypervisor.create(memory, {
    clockOriginUs: 0,
    ...(virtual ? { clock: new VirtualClock() } : {}),
  });
  const Scheduler = virtual ? VirtualScheduler : CooperativeScheduler;
  const scheduler = new Scheduler({ hypervisor, audit: true, ...options });
  hypervisor.createDomain({ name: 'Domain-0', bytes: 4096 });
  const exits: DomainExit[] = [];
  const messages: unknown[] = [];
  return {
    hypervisor,
    scheduler,
    exits,
    messages,
    start: (name, image, onMessage = (message) => messages.push(message)) =>
      scheduler.launch({
        domid: hypervisor.createDomain({ name, bytes: 65536 }),
        config: { name, memoryMiB: 1, vifs: [] },
        image,
        args: { name },
        onMessage,
        onExit: (exit) => exits.push(exit),
      }),
    exited: (count = 1) => scheduler.runUntil(() => exits.length >= count),
  };
}

const image = (main: (kernel: Kernel) => void | Promise<void>): Image => ({ main });

describe.each(['cooperative', 'virtual'] as const)('a machine on a %s CPU', (kind) => {
  let machine: Host;

  beforeEach(() => {
    machine = host(kind);
  });

  it('runs an image until it exits', async () => {
    machine.start(
      'a',
      image((kernel) => {
        kernel.post({ hello: kernel.args });
        kernel.exit(7);
      }),
    );
    await machine.exited();
    expect(machine.messages).toEqual([{ hello: { name: 'a' } }]);
    expect(machine.exits).toEqual([{ name: 'a', domid: 1, code: 7 }]);
  });

  it('reports a domain that throws, with its name and stack; the others go on', async () => {
    machine.start(
      'bad',
      image((kernel) => {
        kernel.loop.defer(() => {
          throw new RangeError('it broke');
        });
      }),
    );
    machine.start(
      'good',
      image((kernel) => kernel.loop.timers.arm(new Timer(() => kernel.exit(0)), kernel.clock.now() + 1000)),
    );
    await machine.exited(2);
    expect(machine.exits[0]).toMatchObject({ name: 'bad', code: 1, error: { message: 'it broke' } });
    expect(machine.exits[0]?.error?.stack).toContain('schedulers.test.ts');
    expect(machine.exits[1]).toEqual({ name: 'good', domid: 2, code: 0 });
    expect(machine.hypervisor.domain(1)?.shutdownReason).toBe(3);
    expect(machine.hypervisor.domain(2)?.shutdownReason).toBe(0);
  });

  it('reports a main that throws, at once or later, and an image that is none', async () => {
    machine.start(
      'sync',
      image(() => {
        throw new Error('sync');
      }),
    );
    machine.start(
      'async',
      image(async () => {
        await Promise.resolve();
        throw new Error('async');
      }),
    );
    machine.start('none', {} as Image);
    machine.start('missing', '/nowhere/image.mjs');
    await machine.exited(4);
    const errors = Object.fromEntries(machine.exits.map(({ name, error }) => [name, error?.message]));
    expect(errors['sync']).toBe('sync');
    expect(errors['async']).toBe('async');
    expect(errors['none']).toBe('the image has no function main(kernel)');
    expect(errors['missing']).toContain('nowhere');
  });

  it('lets promises of an image go on', async () => {
    machine.start(
      'a',
      image(async (kernel) => {
        for (let i = 0; i < 3; i++) {
          await new Promise<void>((resolve) => {
            kernel.loop.timers.arm(new Timer(() => resolve()), kernel.clock.now() + 100);
          });
        }
        kernel.exit(0);
      }),
    );
    await machine.exited();
    expect(machine.exits[0]?.code).toBe(0);
  });

  it('carries messages to the domain, those before its handler too', async () => {
    const domain = machine.start(
      'a',
      image((kernel) => {
        kernel.loop.timers.arm(
          new Timer(() => {
            kernel.onHostMessage = (message) => {
              kernel.post({ echo: message });
              if (message === 'end') kernel.exit(0);
            };
          }),
          kernel.clock.now() + 500,
        );
      }),
      (message) => {
        machine.messages.push(message);
        if (machine.messages.length === 2) domain.post('end');
      },
    );
    domain.post('one');
    domain.post({ two: 2 });
    await machine.exited();
    expect(machine.messages).toEqual([{ echo: 'one' }, { echo: { two: 2 } }, { echo: 'end' }]);
    domain.post('late');
  });

  it('messages are copies', async () => {
    const sent = { value: 1 };
    machine.start(
      'a',
      image((kernel) => {
        kernel.post(sent);
        sent.value = 2;
        kernel.exit();
      }),
    );
    await machine.exited();
    expect(machine.messages).toEqual([{ value: 1 }]);
  });

  it('kill ends a domain wherever it is, with -1', async () => {
    const domain = machine.start(
      'a',
      image((kernel) => {
        const again = (): void => kernel.loop.defer(again);
        again();
      }),
    );
    let looks = 0;
    await machine.scheduler.runUntil(() => ++looks > 10);
    domain.kill();
    domain.kill();
    await machine.exited();
    expect(machine.exits).toEqual([{ name: 'a', domid: 1, code: -1 }]);
  });

  it('wakes a vcpu for work that comes from outside of its loop', async () => {
    let kernel: Kernel | undefined;
    machine.start(
      'a',
      image((own) => {
        kernel = own;
      }),
    );
    await machine.scheduler.runUntil(() => kernel?.hypercalls.blocked === true);
    kernel?.loop.defer(() => kernel?.loop.timers.arm(new Timer(() => kernel?.exit(3)), 0));
    await machine.exited();
    expect(machine.exits[0]?.code).toBe(3);
  });

  it('reports a sleep with work left as a crash of that domain', async () => {
    machine.start(
      'a',
      image((kernel) => kernel.loop.addAudit('ring', () => '3 unread requests')),
    );
    await machine.exited();
    expect(machine.exits[0]?.error?.message).toContain('domain a (1) sleeps at');
    expect(machine.exits[0]?.error?.message).toContain('ring: 3 unread requests [upcall_pending 0');
  });

  it('rejects when all domains have ended and the host waits for more', async () => {
    machine.start(
      'a',
      image((kernel) => kernel.exit()),
    );
    await expect(machine.scheduler.runUntil(() => false)).rejects.toThrow('every domain has ended');
  });
});

describe('virtual time', () => {
  it('jumps: a day takes no time', async () => {
    const machine = host('virtual');
    machine.start(
      'a',
      image((kernel) => kernel.loop.timers.arm(new Timer((nowUs) => kernel.exit(nowUs / 86_400e6)), 86_400e6)),
    );
    await machine.exited();
    expect(machine.exits[0]?.code).toBe(1);
    expect(machine.hypervisor.clock.now()).toBe(86_400e6);
  });

  it('reports a deadlock with the state of every domain', async () => {
    const machine = host('virtual');
    machine.start(
      'sleeper',
      image(() => {}),
    );
    const run = machine.exited();
    await expect(run).rejects.toThrow(DeadlockError);
    await expect(run).rejects.toThrow('sleeper (1): upcall_pending 0');
  });

  it('goes by passes and hypercalls while domains are busy', async () => {
    const machine = host('virtual', { passNs: 2000, hypercallNs: 100_000 });
    machine.start(
      'a',
      image((kernel) => {
        let left = 10;
        const again = (): void => {
          kernel.hypercalls.evtchnStatus(1);
          if (--left > 0) kernel.loop.defer(again);
          else kernel.loop.defer(() => kernel.exit());
        };
        kernel.loop.defer(again);
      }),
    );
    await machine.exited();
    // 11 passes, 10 hypercalls for status and one for the shutdown.
    expect(machine.hypervisor.clock.now()).toBe(11 * 2 + 11 * 100);
  });

  /** Three domains that work for ten slices each. @returns whose slice each turn was. */
  const turnsOf = async (options: { seed?: number; turns?: 'domid' | 'random' }): Promise<string> => {
    const machine = host('virtual', options);
    let turns = '';
    for (const name of ['a', 'b', 'c']) {
      machine.start(
        name,
        image((kernel) => {
          let left = 10;
          const slice = (): void => {
            turns += name;
            if (--left === 0) kernel.exit(0);
            else kernel.loop.defer(slice);
            kernel.loop.requestTurn();
          };
          kernel.loop.defer(slice);
        }),
      );
    }
    await machine.exited(3);
    return turns;
  };

  it('gives turns by domid, or at random as the seed has it', async () => {
    expect(await turnsOf({})).toBe('abc'.repeat(10));
    const random = await turnsOf({ seed: 1, turns: 'random' });
    expect([...random].sort().join('')).toBe('a'.repeat(10) + 'b'.repeat(10) + 'c'.repeat(10));
    expect(random).not.toBe('abc'.repeat(10));
    // Somebody is left waiting while others have several turns.
    expect(random).toMatch(/(.)\1/);
    expect(await turnsOf({ seed: 1, turns: 'random' })).toBe(random);
    expect(await turnsOf({ seed: 2, turns: 'random' })).not.toBe(random);
  });

  it('lets the host go on with what it heard, also while a domain spins', async () => {
    const machine = host('virtual', { passNs: 1000 });
    let heard = false;
    machine.start(
      'spinner',
      image((kernel) => {
        const again = (): void => kernel.loop.defer(again);
        again();
        kernel.post('here');
      }),
      () => void Promise.resolve().then(() => (heard = true)),
    );
    await machine.scheduler.runUntil(() => heard || machine.hypervisor.clock.now() > 100_000);
    expect(heard).toBe(true);
  });

  it('reports domains that keep each other busy without time passing', async () => {
    const machine = host('virtual', { passNs: 0, hypercallNs: 0 });
    machine.start(
      'a',
      image((kernel) => {
        const again = (): void => kernel.loop.defer(again);
        again();
      }),
    );
    await expect(machine.exited()).rejects.toThrow('virtual time stands still');
  });

  it('publishes the counters of a kernel', async () => {
    const machine = host('virtual');
    machine.start(
      'a',
      image((kernel) => {
        const port = kernel.hypercalls.evtchnBindVirq(VIRQ_DEBUG);
        kernel.activations.bind(port, () => kernel.exit(0));
        kernel.loop.timers.arm(
          new Timer(() => void kernel.hypercalls.hypervisor.sendVirq(kernel.domid, VIRQ_DEBUG)),
          kernel.clock.now() + 2000,
        );
      }),
    );
    await machine.exited();
    const stats = readKernelStats(machine.hypervisor, 1)!;
    expect(stats.events).toBe(1);
    expect(stats.timersFired).toBe(1);
    expect(stats.sleeps).toBeGreaterThanOrEqual(1);
    expect(stats.blockedUs).toBe(2000);
    expect(stats.polls).toBe(stats.sleeps);
    expect(stats.hypercalls).toBeGreaterThan(stats.polls);
    expect(readKernelStats(machine.hypervisor, 99)).toBeUndefined();
  });

  it('needs a virtual clock', () => {
    const hypervisor = Hypervisor.create(Memory.create({ bytes: 1 << 20 }), { clockOriginUs: 0 });
    expect(() => new VirtualScheduler({ hypervisor })).toThrow('VirtualClock');
  });

  it('does the same things in the same order for the same seed', async () => {
    const run = async (seed: number): Promise<string> => {
      const machine = host('virtual', { seed });
      const trace: string[] = [];
      for (let i = 1; i <= 3; i++) {
        machine.start(
          `d${i}`,
          image((kernel) => {
            let left = 50;
            const timer = new Timer((nowUs) => {
              trace.push(`${kernel.domid}@${nowUs}`);
              if (--left === 0) kernel.exit();
              else kernel.loop.timers.arm(timer, nowUs + (kernel.random.u32() % 1000));
            });
            kernel.loop.timers.arm(timer, 0);
          }),
        );
      }
      await machine.exited(3);
      return trace.join(' ');
    };
    const first = await run(1);
    expect(await run(1)).toBe(first);
    expect(await run(2)).not.toBe(first);
  });
});
