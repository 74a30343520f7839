import { Memory } from '@qanat/bytes';
import { seededRandom, VirtualClock } from '@qanat/clock';
import {
  Console,
  type Dom0Args,
  type DomainExit,
  type DomainHooks,
  type DomainStart,
  Hypervisor,
  type LaunchedDomain,
  type Launcher,
  Toolstack,
  XenstoreClient,
  Xenstored,
} from '@qanat/xen';
import { TestKernel } from './xenstore-harness.ts';

/** What a test's image sees. */
export interface TestDomain {
  readonly kernel: TestKernel;
  readonly start: DomainStart<TestImage>;
  readonly xenstore: XenstoreClient;
  readonly console: Console;
  onHostMessage: ((message: unknown) => void) | undefined;
  post(message: unknown): void;
  exit(code?: number, error?: Error): void;
}

export interface TestImage {
  main(domain: TestDomain): void;
}

/** Dom0 with nothing but xenstored. */
export const dom0Image: TestImage = {
  main: ({ kernel, start }) => {
    Xenstored.start(kernel, (start.args as Dom0Args).toolstack);
  },
};

interface Resident {
  readonly kernel: TestKernel;
  readonly exit: (exit: Omit<DomainExit, 'name' | 'domid'>) => void;
}

/** A launcher that is as small as it can be: all domains take turns in this thread. */
export class TestLauncher implements Launcher<TestImage> {
  readonly residents = new Map<number, Resident>();
  readonly #hypervisor: Hypervisor;
  readonly #exits: (() => void)[] = [];

  constructor(hypervisor: Hypervisor) {
    this.#hypervisor = hypervisor;
  }

  launch(start: DomainStart<TestImage>): LaunchedDomain {
    if (typeof start.image === 'string' || start.image instanceof URL) throw new Error(`cannot load ${start.image}`);
    const { domid, config } = start;
    const kernel = new TestKernel(this.#hypervisor, domid);
    const record = this.#hypervisor.domain(domid)!;
    const exit: Resident['exit'] = (how) => {
      if (!this.residents.delete(domid)) return;
      this.#exits.push(() => start.onExit({ name: config.name, domid, ...how }));
    };
    this.residents.set(domid, { kernel, exit });
    const xenstore = new XenstoreClient({
      memory: kernel.memory,
      pageAddr: record.xenstoreAddr,
      notify: () => void kernel.hypercalls.evtchnSend(record.xenstorePort),
      defer: kernel.loop.defer,
    });
    kernel.activations.bind(record.xenstorePort, () => xenstore.onEvent());
    const console = new Console({
      memory: kernel.memory,
      pageAddr: record.consoleAddr,
      notify: () => void kernel.hypercalls.evtchnSend(record.consolePort),
    });
    kernel.activations.bind(record.consolePort, () => console.onEvent());
    const domain: TestDomain = {
      kernel,
      start,
      xenstore,
      console,
      onHostMessage: undefined,
      post: (message) => start.onMessage(message),
      exit: (code = 0, error) =>
        exit({ code, ...(error === undefined ? {} : { error: { message: error.message, stack: `${error.stack}` } }) }),
    };
    const { image } = start;
    kernel.loop.defer(() => {
      try {
        image.main(domain);
      } catch (error) {
        domain.exit(1, error as Error);
      }
    });
    return {
      post: (message) => kernel.loop.defer(() => domain.onHostMessage?.(message)),
      kill: () => exit({ code: -1 }),
    };
  }

  async runUntil(done: () => boolean): Promise<void> {
    for (let idle = 0; idle < 3; idle++) {
      for (const call of this.#exits.splice(0)) call();
      if (done()) return;
      for (const { kernel } of [...this.residents.values()]) {
        if (!kernel.turn()) continue;
        idle = 0;
        for (const call of this.#exits.splice(0)) call();
        if (done()) return;
      }
    }
    throw new Error('nothing moves');
  }
}

export interface TestMachine {
  readonly hypervisor: Hypervisor;
  readonly launcher: TestLauncher;
  readonly toolstack: Toolstack<TestImage>;
  /** All of xenstore that the toolstack can see, as `path = value` lines with permissions. */
  dump(path: string): Promise<string[]>;
}

export async function startMachine(
  options: { dom0?: TestImage; startPaused?: boolean; memoryMiB?: number; seed?: number; dom0Hooks?: DomainHooks } = {},
): Promise<TestMachine> {
  const memory = Memory.create({ bytes: (options.memoryMiB ?? 192) << 20, kernel: 'typescript' });
  const clock = new VirtualClock(5_000_000);
  const hypervisor = Hypervisor.create(memory, { clockOriginUs: 0, clock });
  const launcher = new TestLauncher(hypervisor);
  const toolstack = await Toolstack.start<TestImage>({
    hypervisor,
    launcher,
    random: seededRandom(options.seed ?? 1),
    dom0: { image: options.dom0 ?? dom0Image, memoryMiB: 2, args: 'for dom0' },
    startPaused: options.startPaused ?? false,
    ...(options.dom0Hooks === undefined ? {} : { dom0Hooks: options.dom0Hooks }),
  });
  const { client } = toolstack;
  const ask = async <T>(operation: (cb: (error: Error | undefined, value: T) => void) => void): Promise<T> => {
    const outcome: { error: Error | undefined; value: T }[] = [];
    operation((error, value) => outcome.push({ error, value }));
    await toolstack.until(() => outcome.length > 0);
    if (outcome[0]!.error !== undefined) throw outcome[0]!.error;
    return outcome[0]!.value;
  };
  const dump = async (path: string): Promise<string[]> => {
    const value = await ask<string>((cb) => client.read(path, cb));
    const perms = await ask<readonly { access: string; domid: number }[]>((cb) => client.getPerms(path, cb));
    const text = perms.map(({ access, domid }) => `${access}${domid}`).join(',');
    const lines = [`${path} = "${value}" (${text})`];
    for (const name of await ask<string[]>((cb) => client.directory(path, cb))) {
      lines.push(...(await dump(path === '/' ? `/${name}` : `${path}/${name}`)));
    }
    return lines;
  };
  return { hypervisor, launcher, toolstack, dump };
}
