import { watchShutdown, XenstoreClient } from '@qanat/xen';
import { describe, expect, test } from 'vitest';
import { dom0Image, startMachine, type TestImage } from './toolstack-harness.ts';

/** A domain that waits for its shutdown. */
const idle: TestImage = {
  main: ({ xenstore, exit }) => watchShutdown(xenstore, () => exit(0)),
};
/** One that does not listen. */
const deaf: TestImage = { main: () => {} };

describe('the toolstack', () => {
  test('starts Dom0 and writes its nodes', async () => {
    const { toolstack, dump } = await startMachine();
    expect(toolstack.list()).toEqual([{ domid: 0, name: 'Domain-0', memoryMiB: 2, state: 'running', vifs: 0 }]);
    expect(await dump('/')).toEqual([
      '/ = "" (n0)',
      '/tool = "" (n0)',
      '/tool/xenstored = "" (n0)',
      '/local = "" (n0)',
      '/local/domain = "" (n0)',
      '/local/domain/0 = "" (n0)',
      '/local/domain/0/name = "Domain-0" (n0)',
      '/local/domain/0/domid = "0" (n0)',
      '/local/domain/0/memory = "" (n0)',
      '/local/domain/0/memory/target = "2048" (n0)',
      '/local/domain/0/memory/static-max = "2048" (n0)',
      '/local/domain/0/backend = "" (n0)',
      '/local/domain/0/backend/vif = "" (n0)',
      '/vm = "" (n0)',
    ]);
  });

  test('creates a domain with the nodes and permissions of libxl', async () => {
    const { toolstack, dump } = await startMachine();
    const domain = await toolstack.create({
      name: 'web',
      memoryMiB: 3,
      image: idle,
      vifs: [{ mac: '00:16:3e:01:02:03', ip: '192.168.8.101/24', txqueuelen: 50, impair: { lossRate: 0.1, seed: 7 } }],
    });
    expect(domain.domid).toBe(1);
    const lines = await dump('/local/domain/1');
    const uuid = /vm = "\/vm\/([^"]+)"/.exec(lines.join('\n'))![1]!;
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(lines).toEqual(
      [
        '/local/domain/1 = "" (n0,r1)',
        '/local/domain/1/name = "web" (n0,r1)',
        '/local/domain/1/domid = "1" (n0,r1)',
        `/local/domain/1/vm = "/vm/${uuid}" (n0,r1)`,
        '/local/domain/1/memory = "" (n0,r1)',
        '/local/domain/1/memory/target = "3072" (n0,r1)',
        '/local/domain/1/memory/static-max = "3072" (n0,r1)',
        '/local/domain/1/cpu = "" (n0,r1)',
        '/local/domain/1/cpu/0 = "" (n0,r1)',
        '/local/domain/1/cpu/0/availability = "online" (n0,r1)',
        '/local/domain/1/device = "" (n0,r1)',
        '/local/domain/1/device/vif = "" (n0,r1)',
        '/local/domain/1/device/vif/0 = "" (n1,r0)',
        '/local/domain/1/device/vif/0/backend = "/local/domain/0/backend/vif/1/0" (n1,r0)',
        '/local/domain/1/device/vif/0/backend-id = "0" (n1,r0)',
        '/local/domain/1/device/vif/0/handle = "0" (n1,r0)',
        '/local/domain/1/device/vif/0/mac = "00:16:3e:01:02:03" (n1,r0)',
        '/local/domain/1/device/vif/0/mtu = "1500" (n1,r0)',
        '/local/domain/1/device/vif/0/state = "1" (n1,r0)',
        '/local/domain/1/control = "" (n0,r1)',
        '/local/domain/1/control/platform-feature-multiprocessor-suspend = "1" (n0,r1)',
        '/local/domain/1/control/platform-feature-xs_reset_watches = "1" (n0,r1)',
        '/local/domain/1/control/shutdown = "" (n1)',
        '/local/domain/1/control/feature-poweroff = "" (n1)',
        '/local/domain/1/control/feature-reboot = "" (n1)',
        '/local/domain/1/control/feature-suspend = "" (n1)',
        '/local/domain/1/control/sysrq = "" (n1)',
        '/local/domain/1/data = "" (n1)',
        '/local/domain/1/drivers = "" (n1)',
        '/local/domain/1/feature = "" (n1)',
        '/local/domain/1/attr = "" (n1)',
        '/local/domain/1/error = "" (n1)',
        '/local/domain/1/store = "" (n0,r1)',
        '/local/domain/1/store/port = "1" (n0,r1)',
        '/local/domain/1/store/ring-ref = "1" (n0,r1)',
        '/local/domain/1/console = "" (n0,r1)',
        '/local/domain/1/console/port = "2" (n0,r1)',
        '/local/domain/1/console/ring-ref = "0" (n0,r1)',
        '/local/domain/1/console/backend = "/local/domain/0/backend/console/1/0" (n0,r1)',
        '/local/domain/1/console/backend-id = "0" (n0,r1)',
        '/local/domain/1/console/limit = "1048576" (n0,r1)',
        '/local/domain/1/console/type = "xenconsoled" (n0,r1)',
        '/local/domain/1/console/output = "pty" (n0,r1)',
      ].sort((a, b) => lines.indexOf(a) - lines.indexOf(b)),
    );
    const backend = '/local/domain/0/backend/vif/1/0';
    expect(await dump(backend)).toEqual([
      `${backend} = "" (n0,r1)`,
      `${backend}/frontend = "/local/domain/1/device/vif/0" (n0,r1)`,
      `${backend}/frontend-id = "1" (n0,r1)`,
      `${backend}/online = "1" (n0,r1)`,
      `${backend}/script = "/etc/xen/scripts/vif-bridge" (n0,r1)`,
      `${backend}/vifname = "vif1.0" (n0,r1)`,
      `${backend}/type = "vif" (n0,r1)`,
      `${backend}/mac = "00:16:3e:01:02:03" (n0,r1)`,
      `${backend}/ip = "192.168.8.101/24" (n0,r1)`,
      `${backend}/bridge = "xenbr0" (n0,r1)`,
      `${backend}/handle = "0" (n0,r1)`,
      `${backend}/mtu = "1500" (n0,r1)`,
      `${backend}/txqueuelen = "50" (n0,r1)`,
      `${backend}/impair = "{"lossRate":0.1,"seed":7}" (n0,r1)`,
      `${backend}/state = "1" (n0,r1)`,
    ]);
  });

  test('writes the same nodes for the same seed', async () => {
    const dumps = [];
    for (let i = 0; i < 2; i++) {
      const { toolstack, dump } = await startMachine({ seed: 42 });
      await toolstack.create({ name: 'a', image: idle, vifs: [{}, {}] });
      dumps.push(await dump('/'));
    }
    expect(dumps[0]).toEqual(dumps[1]);
  });

  test('lets the domain write where it may, and Dom0 hear of it', async () => {
    const { toolstack } = await startMachine();
    const heard: string[] = [];
    toolstack.client.watch('/local/domain/1', (path) => heard.push(path));
    const outcomes: (string | undefined)[] = [];
    await toolstack.create({
      name: 'a',
      image: {
        main: ({ xenstore }) => {
          for (const path of ['device/vif/0/state', 'data/x', 'name', '/local/domain/0/x']) {
            xenstore.write(path, '3', (error) => outcomes.push(error?.code));
          }
        },
      },
      vifs: [{}],
    });
    await toolstack.until(() => outcomes.length === 4 && heard.at(-1)!.endsWith('data/x'));
    expect(outcomes).toEqual([undefined, undefined, 'EACCES', 'EACCES']);
  });

  test('lists domains, paused ones too, and starts those when told', async () => {
    const { toolstack } = await startMachine({ startPaused: true });
    let ran = '';
    const domain = await toolstack.create({
      name: 'a',
      memoryMiB: 2,
      image: {
        main: (self) => {
          ran = 'yes';
          self.onHostMessage = (message) => self.exit(message as number);
        },
      },
      vifs: [{}, {}],
    });
    domain.post(3);
    await toolstack.create({ name: 'b', memoryMiB: 2, image: idle });
    expect(ran).toBe('');
    expect(toolstack.list()).toEqual([
      { domid: 0, name: 'Domain-0', memoryMiB: 2, state: 'running', vifs: 0 },
      { domid: 1, name: 'a', memoryMiB: 2, state: 'paused', vifs: 2 },
      { domid: 2, name: 'b', memoryMiB: 2, state: 'paused', vifs: 0 },
    ]);
    toolstack.unpause('a');
    toolstack.unpause('a');
    await toolstack.until(() => domain.state === 'shutdown');
    expect([ran, await domain.exited]).toEqual(['yes', { name: 'a', domid: 1, code: 3 }]);
    expect(await toolstack.shutdown('b')).toEqual({ name: 'b', domid: 2, code: 0 });
    expect(toolstack.list().map(({ name }) => name)).toEqual(['Domain-0']);
  });

  test('shuts a domain down by handshake', async () => {
    const { toolstack, hypervisor, dump } = await startMachine();
    const before = hypervisor.freeBytes;
    const reasons: string[] = [];
    await toolstack.create({
      name: 'a',
      image: {
        main: ({ xenstore, exit }) =>
          watchShutdown(xenstore, (reason) => {
            reasons.push(reason);
            exit(0);
          }),
      },
      vifs: [{}],
    });
    expect(await toolstack.shutdown('a')).toEqual({ name: 'a', domid: 1, code: 0 });
    expect(reasons).toEqual(['poweroff']);
    expect(hypervisor.domain(1)).toBeUndefined();
    expect(hypervisor.freeBytes).toBe(before - 96 * 4096);
    const left = (await dump('/')).filter((line) => /vif\/1|domain\/1|\/vm\//.test(line));
    expect(left).toEqual([]);
  });

  test('destroys a domain that does not listen', async () => {
    const { toolstack, launcher } = await startMachine();
    await toolstack.create({ name: 'a', image: deaf });
    expect(await toolstack.shutdown('a', 1000)).toEqual({ name: 'a', domid: 1, code: -1 });
    await toolstack.create({ name: 'a', image: deaf });
    expect(await toolstack.destroy('a')).toEqual({ name: 'a', domid: 2, code: -1 });
    expect([...launcher.residents.keys()]).toEqual([0]);
  });

  test('hears of a domain that throws, and takes it down', async () => {
    const { toolstack } = await startMachine();
    const exits: unknown[] = [];
    const domain = await toolstack.create(
      {
        name: 'bad',
        image: {
          main: () => {
            throw new Error('no luck');
          },
        },
      },
      { onExit: (exit) => exits.push(exit) },
    );
    await toolstack.until(() => toolstack.list().length === 1);
    const exit = {
      name: 'bad',
      domid: 1,
      code: 1,
      error: { message: 'no luck', stack: expect.stringMatching('no luck') },
    };
    expect(exits).toEqual([exit]);
    expect(await domain.exited).toEqual(exit);
  });

  test('carries messages and the console', async () => {
    const { toolstack } = await startMachine();
    const messages: unknown[] = [];
    let live = '';
    const domain = await toolstack.create(
      {
        name: 'a',
        image: {
          main: ({ console, post, start }) => {
            console.onInput = (text) => console.write(`<${text}>`);
            console.log(`hello from ${start.config.name}`);
            post({ args: start.args });
          },
        },
        args: [1, 2],
      },
      { onMessage: (message) => messages.push(message), onConsole: (text) => (live += text) },
    );
    await toolstack.until(() => live !== '');
    toolstack.console('a').type('ping');
    await toolstack.until(() => live.endsWith('>'));
    expect(messages).toEqual([{ args: [1, 2] }]);
    expect(domain.console.text).toBe('hello from a\n<ping>');
    expect(live).toBe(domain.console.text);
    expect(() => toolstack.console('nobody')).toThrow('there is no domain "nobody"');
  });

  test('reads a console to its end, however much was written before the domain ended', async () => {
    const { toolstack } = await startMachine();
    const domain = await toolstack.create({
      name: 'a',
      image: {
        main: ({ console, exit, kernel }) => {
          console.write('x'.repeat(10_000));
          const wait = (): void => {
            if (console.backlogBytes > 0) kernel.loop.defer(wait);
            else exit(0);
          };
          wait();
        },
      },
    });
    await toolstack.until(() => domain.state === 'shutdown');
    expect(domain.console.text.length).toBe(10_000);
  });

  test('has read the last words of a domain when it tells of its end', async () => {
    const { toolstack } = await startMachine();
    let text = '';
    let atExit = '';
    const hooks = {
      onConsole: (more: string) => {
        text += more;
      },
      onExit: () => {
        atExit = text;
      },
    };
    const image: TestImage = {
      main: ({ console, exit }) => {
        console.write('last words');
        exit(0);
      },
    };
    const domain = await toolstack.create({ name: 'a', image }, hooks);
    await toolstack.until(() => domain.state === 'shutdown');
    expect(atExit).toBe('last words');
  });

  test('refuses what cannot be, and leaves nothing behind', async () => {
    const { toolstack, hypervisor, dump } = await startMachine();
    const before = [hypervisor.freeBytes, await dump('/')];
    await expect(toolstack.create({ name: 'a b', image: idle })).rejects.toThrow(/name: "a b"/);
    await expect(toolstack.create({ name: 'big', image: idle, memoryMiB: 1000 })).rejects.toThrow(
      /memoryMiB: .*wanted 1000 MiB, \d+ MiB are free/,
    );
    await toolstack.create({ name: 'a', image: idle });
    await expect(toolstack.create({ name: 'a', image: idle })).rejects.toThrow(/"a" is running/);
    await toolstack.shutdown('a');
    await expect(toolstack.create({ name: 'b', image: '/nowhere.js', vifs: [{}] })).rejects.toThrow('cannot load');
    expect(toolstack.list()).toHaveLength(1);
    expect(await dump('/')).toEqual(before[1]);
    expect(hypervisor.domids()).toEqual([0]);
  });

  test('says so when Dom0 does not come up, or dies', async () => {
    const broken: TestImage = {
      main: () => {
        throw new Error('no bridge');
      },
    };
    await expect(startMachine({ dom0: broken })).rejects.toThrow('Dom0 is down: no bridge');
    let stop = (): void => {};
    const exits: unknown[] = [];
    const mortal: TestImage = {
      main: (domain) => {
        dom0Image.main(domain);
        stop = () => domain.exit(3);
      },
    };
    const { toolstack } = await startMachine({ dom0: mortal, dom0Hooks: { onExit: (exit) => exits.push(exit) } });
    await toolstack.create({ name: 'a', image: idle });
    stop();
    await expect(toolstack.create({ name: 'b', image: idle })).rejects.toThrow('Dom0 is down: it ended with code 3');
    expect(exits).toEqual([{ name: 'Domain-0', domid: 0, code: 3 }]);
    expect(await toolstack.destroy('a')).toEqual({ name: 'a', domid: 1, code: -1 });
    await toolstack.close();
  });

  test('closes everything, also what is paused or waits', async () => {
    const { toolstack, launcher, hypervisor } = await startMachine({ startPaused: true });
    const exits: number[] = [];
    for (const name of ['a', 'b'])
      await toolstack.create({ name, image: deaf }, { onExit: ({ domid }) => exits.push(domid) });
    toolstack.unpause('b');
    await toolstack.close();
    await toolstack.close();
    expect(exits.sort()).toEqual([1, 2]);
    expect(launcher.residents.size).toBe(0);
    expect(hypervisor.domids()).toEqual([]);
    await expect(toolstack.create({ name: 'c', image: idle })).rejects.toThrow('closed');
    expect(toolstack.client).toBeInstanceOf(XenstoreClient);
  });

  test('serves many at once', async () => {
    const { toolstack } = await startMachine();
    const names = Array.from({ length: 20 }, (_, i) => `d${i}`);
    await Promise.all(names.map((name) => toolstack.create({ name, memoryMiB: 1, image: idle, vifs: [{}] })));
    expect(toolstack.list()).toHaveLength(21);
    await Promise.all(names.map((name) => toolstack.shutdown(name)));
    expect(toolstack.list()).toHaveLength(1);
  });
});
