import { ConfigError, createMachine, DeadlockError, type DomainHandle, type Machine, type MachineOptions } from 'qanat';
import { afterEach, describe, expect, test } from 'vitest';
import { onStack, sink, source, waiting } from './images.ts';

const machines: Machine[] = [];
afterEach(async () => {
  for (const machine of machines.splice(0)) await machine.close();
});

async function virtual(options: MachineOptions = {}): Promise<Machine> {
  const machine = await createMachine({ cpus: 'virtual', audit: true, memoryMiB: 400, ...options });
  machines.push(machine);
  return machine;
}

/** A sink and a source that sends it `bytes`. */
async function transfer(
  machine: Machine,
  bytes: number,
  vif = {},
): Promise<{ messages: unknown[]; all: DomainHandle[] }> {
  const messages: unknown[] = [];
  const all = [
    await machine.create({ name: 'sink', image: sink, vifs: [{ ip: '192.168.8.101/24', ...vif }] }),
    await machine.create({ name: 'source', image: source, args: bytes, vifs: [{ ip: '192.168.8.102/24', ...vif }] }),
  ];
  for (const domain of all) domain.onMessage = (message) => messages.push(message);
  return { messages, all };
}

describe('a machine', () => {
  for (const cpus of ['virtual', 'cooperative'] as const) {
    test(`carries TCP between two domains (${cpus})`, async () => {
      const machine = await virtual({ cpus });
      const { messages } = await transfer(machine, 1_000_000);
      expect(machine.list().map(({ name, state }) => `${name} ${state}`)).toEqual([
        'Domain-0 running',
        'sink paused',
        'source paused',
      ]);
      expect(await machine.run()).toEqual([
        { name: 'sink', domid: 1, code: 0 },
        { name: 'source', domid: 2, code: 0 },
      ]);
      expect(messages).toContainEqual({ bytes: 1_000_000, error: undefined });
      expect(machine.list().map(({ name }) => name)).toEqual(['Domain-0']);
      expect(machine.console('sink').text).toBe('sink is up\n');
      const stats = machine.stats();
      expect([...stats.keys()]).toEqual(['Domain-0', 'sink', 'source']);
      for (const { loops, hypercalls, events } of stats.values()) {
        expect(Math.min(loops, hypercalls, events)).toBeGreaterThan(10);
      }
    });
  }

  test('takes no virtual time to be built, and only as much to run as its links and timers ask for', async () => {
    const machine = await virtual();
    await transfer(machine, 1_000_000, { impair: { delayUs: 1000, rateBitsPerSecond: 100e6 } });
    expect(machine.clock.now()).toBe(0);
    await machine.run('source');
    // 8 Mbit of payload at 100 Mbit/s, and what surrounds it.
    expect(machine.clock.now()).toBeGreaterThan(80_000);
    expect(machine.clock.now()).toBeLessThan(200_000);
    expect(await machine.run()).toHaveLength(2);
  });

  test('does the same for the same seed, byte for byte, and something else for another', async () => {
    const trace = async (seed: number): Promise<Buffer> => {
      const machine = await virtual({ seed });
      const chunks: Uint8Array[] = [];
      const impair = { lossRate: 0.02, delayUs: 2000, jitterUs: 500, seed: 3 };
      await transfer(machine, 200_000, { impair });
      const stop = machine.capture('xenbr0', (chunk) => chunks.push(chunk));
      await machine.run();
      const { packets, droppedPackets } = await stop();
      // Super-segments count as one.
      expect(packets).toBeGreaterThan(40);
      expect(droppedPackets).toBe(0);
      return Buffer.concat(chunks);
    };
    const [first, again, other] = [await trace(7), await trace(7), await trace(8)];
    expect(first.length).toBeGreaterThan(200_000);
    expect(Buffer.compare(first, again)).toBe(0);
    expect(Buffer.compare(first, other)).not.toBe(0);
  });

  test('gives vifs their impairments and queues', async () => {
    const machine = await virtual();
    const { messages } = await transfer(machine, 300_000, {
      txqueuelen: 20,
      impair: { delayUs: 10_000, lossRate: 0.01 },
    });
    let ports: { name: string; txqueuelen: number; lost: number }[] = [];
    const watching = machine.create({
      name: 'watcher',
      image: onStack((_stack, kernel) => {
        kernel.onHostMessage = () => kernel.exit(0);
      }),
      vifs: [{ ip: '192.168.8.103/24' }],
    });
    const watcher = await watching;
    const running = machine.run();
    await machine.bridges().then(([bridge]) => {
      ports = bridge!.ports.map(({ name, txqueuelen, impairment }) => ({
        name,
        txqueuelen,
        lost: impairment?.lost ?? -1,
      }));
      watcher.post('end');
    });
    await running;
    expect(ports).toEqual([
      { name: 'vif1.0', txqueuelen: 20, lost: 0 },
      { name: 'vif2.0', txqueuelen: 20, lost: 0 },
      { name: 'vif3.0', txqueuelen: 1000, lost: -1 },
    ]);
    const info = messages.find(
      (message) => typeof message === 'object' && message !== null && 'tcpi_rtt' in message,
    ) as {
      tcpi_rtt: number;
      tcpi_total_retrans: number;
    };
    expect(info.tcpi_rtt).toBeGreaterThanOrEqual(20_000);
    expect(info.tcpi_total_retrans).toBeGreaterThan(0);
  });

  test('answers across two bridges only where a domain has both', async () => {
    const machine = await virtual();
    await machine.create({ name: 'other', image: waiting, vifs: [{ ip: '192.168.8.101/24', bridge: 'xenbr1' }] });
    const client = await machine.create({ name: 'source', image: source, args: 1, vifs: [{ ip: '192.168.8.102/24' }] });
    const running = machine.run();
    expect(await client.exited).toMatchObject({ code: 2 });
    expect((await machine.bridges()).map(({ name }) => name)).toEqual(['xenbr1', 'xenbr0']);
    await machine.shutdown('other');
    await running;
  });

  test('passes messages in both directions, also early ones', async () => {
    const machine = await virtual();
    const domain = await machine.create({
      name: 'echo',
      image: {
        main: (kernel) => {
          kernel.post({ args: kernel.args });
          kernel.onHostMessage = (message) => {
            kernel.post({ got: message });
            if (message === 'end') kernel.exit(5);
          };
        },
      },
      args: { nested: [1, new Uint8Array([2])] },
    });
    domain.post('early');
    const running = machine.run();
    domain.post('end');
    await running;
    const messages: unknown[] = [];
    domain.onMessage = (message) => messages.push(message);
    expect(messages).toEqual([{ args: { nested: [1, new Uint8Array([2])] } }, { got: 'early' }, { got: 'end' }]);
    expect([domain.state, domain.exit]).toEqual(['shutdown', { name: 'echo', domid: 1, code: 5 }]);
    domain.post('too late');
  });

  test('shows consoles as they are written, and types into them', async () => {
    const machine = await virtual();
    const seen: string[] = [];
    machine.onConsole = (name, text) => seen.push(`${name}: ${text}`);
    const domain = await machine.create({
      name: 'shell',
      image: {
        main: (kernel) => {
          kernel.console.write('$ ');
          kernel.console.onInput = (text) => {
            kernel.console.log(`you said ${text}`);
            kernel.exit();
          };
        },
      },
    });
    domain.onConsole = (text) => {
      if (text === '$ ') machine.console('shell').type('hello');
    };
    await machine.run();
    expect(seen).toEqual(['shell: $ ', 'shell: you said hello\n']);
    expect(machine.console('shell').text).toBe('$ you said hello\n');
  });

  test('leaves nothing in xenstore of domains that have ended, however they did', async () => {
    const machine = await virtual();
    const names = async (path: string): Promise<string[]> => {
      const answers: (string[] | string)[] = [];
      machine.xenstore.directory(path, (error, value) => answers.push(error?.code ?? value));
      await machine.until(() => answers.length > 0);
      return answers.flat();
    };
    const vifs = [{ ip: '192.168.8.103/24' }, { ip: '192.168.9.103/24', bridge: 'xenbr1' }];
    await transfer(machine, 10_000);
    await machine.create({ name: 'asked', image: onStack(() => {}), vifs });
    await machine.create({ name: 'killed', image: onStack(() => {}), vifs: [{ ip: '192.168.8.104/24' }] });
    expect(await names('/local/domain')).toEqual(['0', '1', '2', '3', '4']);
    await machine.run('sink', 'source');
    expect((await machine.bridges()).map(({ name, ports }) => [name, ports.length])).toEqual([
      ['xenbr0', 2],
      ['xenbr1', 1],
    ]);
    await machine.destroy('killed');
    await machine.shutdown('asked');
    expect(await names('/local/domain')).toEqual(['0']);
    expect(await names('/local/domain/0/backend/vif')).toEqual([]);
    expect(await names('/local/domain/0/error')).toEqual(['ENOENT']);
    expect(await names('/vm')).toEqual([]);
    expect((await machine.bridges()).map(({ ports }) => ports)).toEqual([[], []]);
    expect(machine.hypervisor.domids()).toEqual([0]);
  });

  test('can be used again after a run', async () => {
    const machine = await virtual();
    for (let i = 0; i < 3; i++) {
      const free = machine.hypervisor.freeBytes;
      const { messages } = await transfer(machine, 10_000);
      expect(await machine.run()).toHaveLength(2 * (i + 1));
      expect(messages).toContainEqual({ bytes: 10_000, error: undefined });
      if (i > 0) expect(machine.hypervisor.freeBytes).toBe(free);
    }
  });

  test('starts a domain that is created while it runs', async () => {
    const machine = await virtual();
    const parent = await machine.create({
      name: 'parent',
      image: {
        main: (kernel) => {
          kernel.onHostMessage = () => kernel.exit();
          kernel.post('ready');
        },
      },
    });
    parent.onMessage = () => {
      void machine
        .create({ name: 'child', image: { main: (kernel) => kernel.exit(7) } })
        .then((child) => child.exited)
        .then(() => parent.post('end'));
    };
    expect(await machine.run()).toEqual([
      { name: 'parent', domid: 1, code: 0 },
      { name: 'child', domid: 2, code: 7 },
    ]);
  });
});

describe('what goes wrong', () => {
  test('a domain that throws is reported, and the others are shut down', async () => {
    const machine = await virtual();
    let asked = '';
    await machine.create({ name: 'polite', image: waiting });
    await machine.create({
      name: 'thorough',
      image: {
        main: (kernel) => {
          kernel.onShutdown = (reason) => {
            asked = reason;
            kernel.exit(4);
          };
        },
      },
    });
    await machine.create({
      name: 'deaf',
      image: {
        main: (kernel) => {
          kernel.onShutdown = () => {};
        },
      },
    });
    await machine.create({
      name: 'bad',
      image: {
        main: (kernel) =>
          kernel.loop.defer(() => {
            throw new TypeError('cannot do this');
          }),
      },
    });
    expect(await machine.run()).toEqual([
      { name: 'polite', domid: 1, code: 0 },
      { name: 'thorough', domid: 2, code: 4 },
      { name: 'deaf', domid: 3, code: -1 },
      {
        name: 'bad',
        domid: 4,
        code: 1,
        error: { message: 'cannot do this', stack: expect.stringContaining('machine.test.ts') },
      },
    ]);
    expect(asked).toBe('poweroff');
  });

  test('an image that cannot be loaded is an exit with an error', async () => {
    const machine = await virtual();
    await machine.create({ name: 'a', image: new URL('file:///nowhere/image.mjs') });
    expect(await machine.run()).toMatchObject([
      { name: 'a', code: 1, error: { message: expect.stringMatching(/nowhere/) } },
    ]);
  });

  test('a vif whose error nobody handles ends the domain', async () => {
    const machine = await virtual();
    await machine.create({
      name: 'a',
      image: onStack((stack) => {
        stack.listen({ port: 0, host: '10.0.0.1', onFlow: () => {} });
      }),
      vifs: [{ ip: '192.168.8.1/24' }],
    });
    expect(await machine.run()).toMatchObject([
      { code: 1, error: { message: expect.stringMatching(/EADDRNOTAVAIL/) } },
    ]);
  });

  test('on virtual time, waiting for what cannot come is an error, not a hang', async () => {
    const machine = await virtual();
    await machine.create({ name: 'a', image: waiting });
    await expect(machine.run()).rejects.toThrow(DeadlockError);
    await expect(machine.run()).rejects.toThrow(/a \(1\)/);
    expect(await machine.shutdown('a')).toEqual({ name: 'a', domid: 1, code: 0 });
    expect(await machine.run()).toHaveLength(1);
  });

  test('configurations that cannot be are refused, and nothing is left of them', async () => {
    const machine = await virtual();
    await machine.create({ name: 'a', image: waiting });
    const before = [machine.hypervisor.freeBytes, machine.list()];
    const wrong: [Record<string, unknown>, RegExp][] = [
      [{ name: 'a' }, /name: a domain "a" is running/],
      [{ memoryMiB: 1000 }, /memoryMiB: .* are free/],
      [{ vifs: [{ ip: 'x' }] }, /vifs\[0\].ip/],
      [{ vifs: [{ impair: { lossRate: 2 } }] }, /vifs\[0\].impair: lossRate is 2: it must be in 0..1/],
      [{ vifs: 7 }, /vifs: expected a list/],
      [{ vifs: [7] }, /vifs\[0\]: expected an object/],
    ];
    for (const [change, message] of wrong) {
      const config = { name: 'b', image: waiting, ...change } as unknown as Parameters<Machine['create']>[0];
      await expect(machine.create(config)).rejects.toThrow(message);
      await expect(machine.create(config)).rejects.toBeInstanceOf(ConfigError);
    }
    expect([machine.hypervisor.freeBytes, machine.list()]).toEqual(before);
  });

  test('options that cannot be are refused', async () => {
    const wrong: [Record<string, unknown>, RegExp][] = [
      [{ cpus: 'fast' }, /cpus "fast": use one of threads, cooperative, virtual/],
      [{ memory: 64 }, /"memory" is no option of a machine: there are cpus, memoryMiB/],
      [{ memoryMiB: 8 }, /memoryMiB 8: use a whole number of 16 to 2047/],
      [{ memoryMiB: 64, dom0MemoryMiB: 65 }, /dom0MemoryMiB 65: use a whole number of 1 to 64/],
      [{ seed: -1 }, /seed -1/],
      [{ spinUs: -1 }, /spinUs -1/],
      [{ maxQueues: 0 }, /maxQueues 0: use a whole number of 1 to 64/],
      [{ maxQueues: 2.5 }, /maxQueues 2.5: use/],
      [{ hypercallNs: -1 }, /hypercallNs -1: use 0 to 1000000000/],
      [{ turns: 'backwards' as 'domid' }, /turns "backwards": use domid or random/],
    ];
    for (const [options, message] of wrong) {
      const failed = createMachine(options as MachineOptions);
      await expect(failed).rejects.toThrow(message);
      await expect(failed).rejects.toMatchObject({ name: 'MachineError', code: 'ERR_INVALID_OPTION' });
    }
    const tooSmall = createMachine({ cpus: 'virtual', memoryMiB: 64 });
    await expect(tooSmall).rejects.toThrow(/Dom0's memoryMiB: .*wanted 64 MiB/);
    await expect(tooSmall).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
    const machine = await virtual();
    await expect(machine.run('nobody')).rejects.toThrow('there is no domain "nobody"');
  });

  test("Dom0 is nobody's to end", async () => {
    const machine = await virtual();
    await expect(machine.destroy('Domain-0')).rejects.toThrow('Dom0 ends with the machine only');
    await expect(machine.shutdown('Domain-0')).rejects.toThrow('Dom0 ends with the machine only');
    await expect(machine.destroy('nobody')).rejects.toThrow('there is no domain "nobody"');
  });

  test('a closed machine does nothing any more', async () => {
    const machine = await virtual();
    const domain = await machine.create({ name: 'a', image: waiting });
    await machine.close();
    await machine.close();
    expect(await domain.exited).toEqual({ name: 'a', domid: 1, code: -1 });
    await expect(machine.create({ name: 'b', image: waiting })).rejects.toMatchObject({ code: 'ERR_MACHINE_CLOSED' });
    await expect(machine.run()).rejects.toMatchObject({ code: 'ERR_MACHINE_CLOSED' });
  });

  test('closing while it runs ends the run', async () => {
    for (const cpus of ['virtual', 'cooperative'] as const) {
      const machine = await virtual({ cpus });
      await machine.create({
        name: 'busy',
        image: {
          main: (kernel) => {
            const again = (): void => {
              kernel.loop.requestTurn();
              kernel.loop.defer(again);
            };
            again();
          },
        },
      });
      const run = machine.run();
      const outcome = expect(run).rejects.toMatchObject({ code: 'ERR_MACHINE_CLOSED' });
      await new Promise((resolve) => setImmediate(resolve));
      await machine.close();
      await outcome;
    }
  });
});
