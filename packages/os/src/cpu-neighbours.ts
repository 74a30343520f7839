import { BLOCKED_WAITING, type Hypervisor } from '@qanat/xen';

/** How often to look who they are. */
const LOOK_EVERY_US = 10_000;

/** The vcpus that are kept to the same CPU of the host as this one: what it spins away is their time. */
export class CpuNeighbours {
  readonly #hypervisor: Hypervisor;
  readonly #domid: number;
  readonly #i32: Int32Array;
  #words: readonly number[] = [];
  #lookAgainUs = 0;

  constructor(hypervisor: Hypervisor, domid: number) {
    this.#hypervisor = hypervisor;
    this.#domid = domid;
    this.#i32 = hypervisor.memory.i32;
  }

  /** Now and then finds out who they are. */
  look(nowUs: number): void {
    if (nowUs < this.#lookAgainUs) return;
    this.#lookAgainUs = nowUs + LOOK_EVERY_US;
    this.#words = this.#hypervisor.cpuNeighbours(this.#domid);
  }

  /** @returns whether one of them is not asleep. */
  get awake(): boolean {
    for (let i = 0; i < this.#words.length; i++) {
      if (Atomics.load(this.#i32, this.#words[i]!) !== BLOCKED_WAITING) return true;
    }
    return false;
  }
}
