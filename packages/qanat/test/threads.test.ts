import { createMachine, type Machine, MachineError } from 'qanat';
import { afterEach, describe, expect, test, vi } from 'vitest';

const image = (name: string): URL => new URL(`./images/${name}.mjs`, import.meta.url);

let machine: Machine | undefined;
afterEach(async () => {
  await machine?.close();
  machine = undefined;
  vi.unstubAllGlobals();
});

/** Real threads on real time: what the cooperative and virtual machines show in depth is only touched here. */
describe('a machine of threads', { timeout: 30_000 }, () => {
  test('carries TCP between two domains, ends by itself, and leaves nothing behind', async () => {
    machine = await createMachine({ audit: true });
    await machine.create({ name: 'server', image: image('echo-server'), vifs: [{ ip: '192.168.8.101/24' }] });
    const vifs = [{ ip: '192.168.8.102/24' }];
    const client = await machine.create({ name: 'client', image: image('echo-client'), args: 'hello, thread', vifs });
    const messages: unknown[] = [];
    client.onMessage = (message) => messages.push(message);
    expect(await machine.run()).toEqual([
      { name: 'server', domid: 1, code: 0 },
      { name: 'client', domid: 2, code: 0 },
    ]);
    expect(messages).toEqual(['hello, thread']);
    expect(machine.console('server').text).toBe('server is up\n');
    const [bridge] = await machine.bridges();
    expect(bridge!.name).toBe('xenbr0');
    expect(bridge!.forwarded).toBeGreaterThan(4);
    await machine.close();
    expect(process.getActiveResourcesInfo().filter((name) => name.includes('Worker'))).toEqual([]);
  });

  test('reports a domain that throws with its stack, and shuts the others down', async () => {
    machine = await createMachine({});
    const other = await machine.create({ name: 'other', image: image('stubborn') });
    const bad = await machine.create({ name: 'bad', image: image('stubborn'), args: 'throw' });
    bad.post('now');
    const exits = await machine.run();
    expect(exits).toEqual([
      { name: 'other', domid: 1, code: 0 },
      {
        name: 'bad',
        domid: 2,
        code: 1,
        error: { message: 'told to throw', stack: expect.stringContaining('stubborn.mjs') },
      },
    ]);
    expect(await other.exited).toEqual(exits[0]);
  });

  test('destroys what does not listen, and what does not even sleep', async () => {
    machine = await createMachine({});
    await machine.create({ name: 'deaf', image: image('stubborn'), args: 'deaf' });
    const spinning = await machine.create({ name: 'spinning', image: image('stubborn'), args: 'spin' });
    spinning.post('now');
    expect(await machine.shutdown('deaf', 50)).toEqual({ name: 'deaf', domid: 1, code: -1 });
    expect(await machine.destroy('spinning')).toEqual({ name: 'spinning', domid: 2, code: -1 });
    expect(machine.list()).toHaveLength(1);
  });

  test('says what is wrong with an image, and goes on', async () => {
    machine = await createMachine({});
    await expect(machine.create({ name: 'a', image: { main: () => {} } })).rejects.toThrow(/needs the URL or path/);
    await expect(machine.create({ name: 'a', image: '/nowhere/image.js' })).rejects.toThrow(/nowhere\/image.js/);
    await machine.create({ name: 'a', image: image('no-such-image') }).catch(() => {});
    await machine.create({ name: 'b', image: image('stubborn') });
    expect(await machine.shutdown('b')).toMatchObject({ name: 'b', code: 0 });
  });

  test('needs SharedArrayBuffer and says so', async () => {
    vi.stubGlobal('SharedArrayBuffer', undefined);
    const failed = createMachine();
    await expect(failed).rejects.toBeInstanceOf(MachineError);
    await expect(failed).rejects.toMatchObject({ code: 'ERR_SHARED_ARRAY_BUFFER_MISSING' });
    await expect(failed).rejects.toThrow(/cross-origin isolated.*cpus: 'cooperative'/);
  });
});
