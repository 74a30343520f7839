import { Memory } from '@qanat/bytes';
import { VirtualClock } from '@qanat/clock';
import {
  Hypercalls,
  Hypervisor,
  XenstoreClient,
  Xenstored,
  type XenstoredHost,
  type XenstoreError,
  type XenstoreErrorCode,
  type XenstoreQuotas,
} from '@qanat/xen';

/** As much of a kernel as xenstore needs: handlers for ports and a list of tasks, run when the test says so. */
export class TestKernel implements XenstoredHost {
  readonly memory: Memory;
  readonly hypercalls: Hypercalls;
  readonly handlers = new Map<number, () => void>();
  readonly tasks: (() => void)[] = [];
  /** Events dispatched so far. */
  events = 0;
  readonly activations = {
    bind: (port: number, handler: () => void): void => void this.handlers.set(port, handler),
    unbind: (port: number): void => void this.handlers.delete(port),
  };
  readonly loop = { defer: (task: () => void): void => void this.tasks.push(task) };
  readonly #hypervisor: Hypervisor;

  constructor(hypervisor: Hypervisor, domid: number) {
    this.#hypervisor = hypervisor;
    this.memory = hypervisor.memory;
    this.hypercalls = new Hypercalls(hypervisor, domid);
  }

  /** Runs tasks and handlers once. @returns whether there were any. */
  turn(): boolean {
    let worked = false;
    for (const task of this.tasks.splice(0)) {
      task();
      worked = true;
    }
    const { delivery, state } = this.#hypervisor;
    const record = state.recordAddr(this.hypercalls.domid);
    for (const [port, handler] of [...this.handlers]) {
      if (!delivery.isPending(record, port)) continue;
      delivery.clearPending(record, port);
      this.events++;
      handler();
      worked = true;
    }
    return worked;
  }
}

/** A machine with xenstored in Dom0 and as many domains as the test asks for. */
export class XenstoreMachine {
  readonly hypervisor: Hypervisor;
  readonly dom0: TestKernel;
  readonly xenstored: Xenstored;
  readonly kernels: TestKernel[] = [];
  readonly admin: XenstoreClient;

  constructor(quotas: Partial<XenstoreQuotas> = {}) {
    const memory = Memory.create({ bytes: 32 << 20, kernel: 'typescript' });
    this.hypervisor = Hypervisor.create(memory, { clockOriginUs: 0, clock: new VirtualClock() });
    this.hypervisor.createDomain({ name: 'Domain-0', bytes: 1 << 20, domid: 0 });
    this.dom0 = new TestKernel(this.hypervisor, 0);
    this.kernels.push(this.dom0);
    this.xenstored = Xenstored.start(this.dom0, undefined, quotas);
    this.admin = this.client(this.dom0);
  }

  /** A domain that xenstored knows, with `/local/domain/N` its own. */
  domain(): { kernel: TestKernel; domid: number; client: XenstoreClient } {
    const domid = this.hypervisor.createDomain({ name: 'guest', bytes: 1 << 16 });
    const kernel = new TestKernel(this.hypervisor, domid);
    this.kernels.push(kernel);
    const { xenstoreAddr, xenstorePort } = this.hypervisor.domain(domid)!;
    const client = this.client(kernel);
    this.admin.mkdir(`/local/domain/${domid}`, expectNoError);
    this.admin.setPerms(`/local/domain/${domid}`, [{ access: 'n', domid }], expectNoError);
    this.admin.introduce(domid, xenstoreAddr >>> 12, xenstorePort, expectNoError);
    this.run();
    return { kernel, domid, client };
  }

  client(kernel: TestKernel): XenstoreClient {
    const { xenstoreAddr, xenstorePort } = this.hypervisor.domain(kernel.hypercalls.domid)!;
    const client = new XenstoreClient({
      memory: kernel.memory,
      pageAddr: xenstoreAddr,
      notify: () => void kernel.hypercalls.evtchnSend(xenstorePort),
      defer: kernel.loop.defer,
    });
    kernel.activations.bind(xenstorePort, () => client.onEvent());
    return client;
  }

  /** Runs every domain until all are quiet. */
  run(): void {
    for (let pass = 0; pass < 10_000; pass++) {
      let worked = false;
      for (const kernel of this.kernels) if (kernel.turn()) worked = true;
      if (!worked) return;
    }
    throw new Error('the machine does not come to rest');
  }

  /** The outcome of one operation: its value, or the code of its error. */
  ask<T>(operation: (cb: (error: XenstoreError | undefined, value?: T) => void) => void): T | XenstoreErrorCode | 'ok' {
    let outcome: T | XenstoreErrorCode | 'ok' | undefined;
    operation((error, value) => {
      if (outcome !== undefined) throw new Error('called back twice');
      outcome = error?.code ?? value ?? 'ok';
    });
    this.run();
    if (outcome === undefined) throw new Error('no answer');
    return outcome;
  }
}

export function expectNoError(error: Error | undefined): void {
  if (error !== undefined) throw error;
}
