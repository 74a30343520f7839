import { Memory } from '@qanat/bytes';
import { RealClock } from '@qanat/clock';
import { type DomainExit, Hypervisor, type LaunchedDomain } from '@qanat/xen';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCpuList } from '../src/host-cpus.ts';
import {
  hostCpus,
  type KernelStats,
  readKernelStats,
  ThreadLauncher,
  type ThreadLauncherOptions,
} from '../src/index.ts';
import { builtUrl } from '../src/thread-protocol.ts';

/** Runs the built files: `tsc -b` comes first. */
class Threads {
  readonly hypervisor = Hypervisor.create(Memory.create({ bytes: 16 << 20, shared: true }), {
    clockOriginUs: RealClock.hostNowUs(),
  });
  readonly launcher: ThreadLauncher;
  readonly exits: DomainExit[] = [];
  readonly messages: unknown[] = [];
  readonly #domains: LaunchedDomain[] = [];

  constructor(options: Partial<ThreadLauncherOptions> = {}) {
    this.launcher = new ThreadLauncher({ hypervisor: this.hypervisor, audit: true, ...options });
    this.hypervisor.createDomain({ name: 'Domain-0', bytes: 4096 });
  }

  /** Leaves no thread behind, whatever became of the test. */
  end(): void {
    for (const domain of this.#domains) domain.kill();
  }

  start(
    file: string,
    args: unknown,
    onMessage: (message: unknown) => void = (message) => this.messages.push(message),
    affinity?: number,
  ): LaunchedDomain {
    const name = file.replace('.mjs', '');
    const domain = this.launcher.launch({
      domid: this.hypervisor.createDomain({ name, bytes: 1 << 20 }),
      config: { name, memoryMiB: 1, vifs: [], affinity },
      image: new URL(`./images/${file}`, import.meta.url),
      args,
      onMessage,
      onExit: (exit) => this.exits.push(exit),
    });
    this.#domains.push(domain);
    return domain;
  }

  until(done: () => boolean): Promise<void> {
    return this.launcher.runUntil(done, 4096 >>> 2);
  }

  exited(count = 1): Promise<void> {
    return this.until(() => this.exits.length >= count);
  }
}

let threads: Threads;

beforeEach(() => {
  threads = new Threads();
});

afterEach(() => threads.end());

describe('domains in threads', () => {
  it.each([0, 20])(
    'ping-pong 10 000 events without a lost wake-up (spin %i us)',
    { timeout: 60_000 },
    async (spinUs) => {
      const rounds = 10_000;
      threads = new Threads({ spinUs });
      let stats: KernelStats | undefined;
      const pong: { current?: LaunchedDomain } = {};
      threads.start('ping.mjs', { rounds }, (message) => {
        const { port, stats: final } = message as { port?: number; stats?: KernelStats };
        if (port !== undefined) pong.current?.post({ port });
        stats = final ?? stats;
      });
      pong.current = threads.start('pong.mjs', { rounds });
      await threads.exited(2);
      expect(threads.exits.map(({ code }) => code)).toEqual([0, 0]);
      expect(threads.messages).toEqual([{ seen: rounds }]);
      expect(stats?.events).toBe(rounds);
      // Each event costs at most one sleep, and hypercalls in proportion.
      expect(stats!.sleeps).toBeLessThan(2 * rounds);
      expect(readKernelStats(threads.hypervisor, 1)?.events).toBe(rounds);
    },
  );

  it.each([0, 20])(
    'pass 200 000 messages through a ring, in order, past the wrap (spin %i us)',
    {
      timeout: 60_000,
    },
    async (spinUs) => {
      const count = 200_000;
      const startIndex = 0xffff_ff00;
      threads = new Threads({ spinUs, seed: 7 });
      const back: { current?: LaunchedDomain } = {};
      let stats: KernelStats | undefined;
      threads.start('ring.mjs', { end: 'front', count, startIndex }, (message) => {
        const { port, stats: final } = message as { port?: number; stats?: KernelStats };
        if (port !== undefined) back.current?.post(message);
        stats = final ?? stats;
      });
      back.current = threads.start('ring.mjs', { end: 'back', count, startIndex });
      await threads.exited(2);
      expect(threads.exits.map(({ code, error }) => error?.stack ?? code)).toEqual([0, 0]);
      // Event suppression works: far fewer events than messages.
      expect(stats!.evtchnSends).toBeLessThan(count / 4);
    },
  );

  it('report what they exit with', async () => {
    threads.start('moods.mjs', { mood: 'exit', code: 5 });
    await threads.exited();
    expect(threads.exits).toEqual([{ name: 'moods', domid: 1, code: 5 }]);
  });

  it.each([
    ['throw-in-main', 'main broke'],
    ['throw-in-loop', 'loop broke'],
    ['reject', 'nobody listened'],
  ])('report what they throw, with the stack: %s', async (mood, text) => {
    threads.start('moods.mjs', { mood });
    await threads.exited();
    expect(threads.exits[0]).toMatchObject({ name: 'moods', code: 1, error: { message: text } });
    expect(threads.exits[0]?.error?.stack).toContain('moods.mjs');
    expect(threads.hypervisor.domain(1)?.shutdownReason).toBe(3);
  });

  it.each(['sleep', 'busy'])('end when they are killed: %s', async (mood) => {
    const domain = threads.start('moods.mjs', { mood });
    await threads.until(() => threads.messages.length === 1);
    domain.kill();
    domain.kill();
    await threads.exited();
    expect(threads.exits).toEqual([{ name: 'moods', domid: 1, code: -1 }]);
    threads.hypervisor.destroyDomain(1);
    domain.post('late');
  });

  it.each([false, true])('hear the host at once, asleep or busy (%s)', async (busy) => {
    const domain = threads.start('moods.mjs', { mood: 'echo', busy });
    domain.post('early');
    await threads.until(() => threads.messages.length === 2);
    for (let i = 0; i < 5; i++) {
      domain.post(i);
      await threads.until(() => threads.messages.length === 3 + i);
    }
    domain.post('end');
    await threads.exited();
    expect(threads.messages.filter((message) => message !== 'ready')).toEqual(
      ['early', 0, 1, 2, 3, 4].map((echo) => ({ echo })),
    );
    expect(threads.exits[0]?.code).toBe(0);
  });

  it('let promises and the event loop of their thread go on', async () => {
    threads.start('moods.mjs', { mood: 'promises' });
    await threads.exited();
    expect(threads.exits[0]?.code).toBe(20);
  });

  it('sleep until their deadlines', async () => {
    threads.start('moods.mjs', { mood: 'timers' });
    await threads.exited();
    expect(threads.exits[0]).toEqual({ name: 'moods', domid: 1, code: 0 });
    expect(threads.messages[0]).toBeGreaterThanOrEqual(15_000);
    const stats = readKernelStats(threads.hypervisor, 1)!;
    expect(stats.timersFired).toBe(3);
    // Each deadline one sleep, and a short one after the burst of the start.
    expect(stats.sleeps).toBeLessThan(10);
  });

  it('sleep for good when there is nothing to do', async () => {
    threads.start('moods.mjs', { mood: 'sleep' });
    await threads.until(() => threads.messages.length === 1);
    const untilMs = performance.now() + 200;
    await threads.until(() => performance.now() > untilMs);
    // What led to the first sleep, and a look back at the event loop.
    expect(readKernelStats(threads.hypervisor, 1)!.sleeps).toBeLessThan(5);
  });

  it('throw when they sleep with work left for longer than a notify can be under way', async () => {
    threads.start('moods.mjs', { mood: 'audit' });
    await threads.exited();
    expect(threads.exits[0]?.error?.message).toContain('ring: 3 unread requests');
    expect(threads.messages).toEqual(['ring: 3 unread requests']);
  });

  it('tell nobody of work left in a sleep when it may be that of a notify that is under way', async () => {
    threads.start('moods.mjs', { mood: 'suspect' });
    await threads.exited();
    expect(threads.exits[0]?.code).toBeGreaterThan(0);
    expect(threads.messages).toEqual([]);
  });

  it('have their memory and console', async () => {
    threads.start('moods.mjs', { mood: 'console' });
    await threads.exited();
    expect(threads.messages).toEqual([true]);
    const { consoleAddr } = threads.hypervisor.domain(1)!;
    const text = String.fromCharCode(
      ...threads.hypervisor.memory.u8.slice(consoleAddr + 1024, consoleAddr + 1024 + 14),
    );
    expect(text).toBe('line 0\nline 1\n');
  });
});

describe('affinity', () => {
  const cpus = hostCpus();

  it.skipIf(cpus.length === 0)(
    'keeps the thread to its CPU, and no other thread (skipped: needs Linux and taskset)',
    async () => {
      const last = cpus.at(-1)!;
      for (const affinity of [last, undefined]) threads.start('moods.mjs', { mood: 'cpus' }, undefined, affinity);
      await threads.exited(2);
      expect(threads.messages.map((text) => parseCpuList(`${text}`))).toEqual(expect.arrayContaining([[last], cpus]));
      expect(hostCpus()).toEqual(cpus);
    },
  );

  it('ends a domain whose CPU is not there', async () => {
    threads.start('moods.mjs', { mood: 'sleep' }, undefined, 8191);
    await threads.exited();
    expect(threads.exits[0]).toMatchObject({
      code: 1,
      error: { message: expect.stringContaining('kept to CPU 8191') },
    });
    expect(threads.messages).toEqual([]);
  });

  it.each([
    ['0', [0]],
    [' 0-2,5\n', [0, 1, 2, 5]],
    ['', []],
    ['0,x', []],
    ['-3', []],
  ])('reads the list %j', (text, list) => {
    expect(parseCpuList(text)).toEqual(list);
  });
});

describe('ThreadLauncher', () => {
  const launch = (image: unknown): LaunchedDomain =>
    threads.launcher.launch({
      domid: threads.hypervisor.createDomain({ name: 'x', bytes: 4096 }),
      config: { name: 'x', memoryMiB: 1, vifs: [] },
      image: image as string,
      args: undefined,
      onMessage: () => {},
      onExit: () => {},
    });

  it('refuses an object as image, and a file that is missing', () => {
    expect(() => launch({ main: () => {} })).toThrow('an object cannot go there');
    expect(() => launch('/nowhere/image.js')).toThrow('/nowhere/image.js is missing: build first');
    expect(() => launch(new URL('file:///nowhere/src/image.ts'))).toThrow('/nowhere/dist/image.js is missing');
  });

  it('refuses a memory that is not shared', () => {
    const hypervisor = Hypervisor.create(Memory.create({ bytes: 1 << 20 }), { clockOriginUs: 0 });
    expect(() => new ThreadLauncher({ hypervisor })).toThrow('shared');
  });

  it('rejects when every domain has ended and the host waits for more', async () => {
    await expect(threads.until(() => false)).rejects.toThrow('every domain has ended');
  });

  it('maps sources to built files', () => {
    expect(builtUrl('file:///a/packages/os/src/thread-entry.ts')).toBe('file:///a/packages/os/dist/thread-entry.js');
    expect(builtUrl('file:///src/x/src/images/a.ts')).toBe('file:///src/x/dist/images/a.js');
    expect(builtUrl('file:///a/dist/a.js')).toBe('file:///a/dist/a.js');
    expect(builtUrl('data:text/javascript,')).toBe('data:text/javascript,');
  });
});
