import { Memory, PAGE_SIZE, PageAllocator } from '@qanat/bytes';
import { type Clock, RealClock, seededRandom, TimerQueue } from '@qanat/clock';
import { createPipe } from '@qanat/link';
import { createStack, type Stack } from '@qanat/stack';
import type { TcpConfig } from '@qanat/tcp';

export const CLIENT_IP = '10.0.0.1';
export const SERVER_IP = '10.0.0.2';

/** Real time, read once a turn of the loop, as a driver reads it once a batch. */
class TurnClock implements Clock {
  readonly resolutionUs = 1;
  readonly #real = new RealClock(RealClock.hostNowUs());
  #nowUs = 0;

  now(): number {
    return this.#nowUs;
  }

  read(): number {
    return (this.#nowUs = this.#real.now());
  }
}

/**
 * Two hosts with a memory each of their own pages, on a pipe, in this thread: the library without the machine. Every
 * checksum is computed and verified.
 */
export class TwoStacks {
  readonly memory: Memory;
  readonly clock = new TurnClock();
  readonly timers = new TimerQueue();
  readonly clientPages: PageAllocator;
  readonly serverPages: PageAllocator;
  readonly client: Stack;
  readonly server: Stack;

  /** @param memoryMiB of both hosts and the pipe together, at least 8. */
  constructor(memoryMiB: number, tcp: Partial<TcpConfig> = {}, mtu = 1500) {
    const memory = (this.memory = Memory.create({ bytes: memoryMiB << 20 }));
    const { clock, timers } = this;
    const pipeBytes = 4 << 20;
    const hostBytes = ((memory.bytes - pipeBytes) / 2 / PAGE_SIZE) * PAGE_SIZE;
    const pipePages = new PageAllocator(0, pipeBytes);
    this.clientPages = new PageAllocator(pipeBytes, hostBytes);
    this.serverPages = new PageAllocator(pipeBytes + hostBytes, hostBytes);
    const [left, right] = createPipe({ memory, pages: pipePages, clock, timers, mtu });
    const host = (pages: PageAllocator, seed: number): Stack =>
      createStack({ memory, pages, clock, timers, random: seededRandom(seed), tcp });
    this.client = host(this.clientPages, 1);
    this.server = host(this.serverPages, 2);
    this.client.addInterface(left, { address: `${CLIENT_IP}/24` });
    this.server.addInterface(right, { address: `${SERVER_IP}/24` });
    this.#resolve();
  }

  /** Both know the other's MAC before anything is measured: of many first packets ARP keeps only some. */
  #resolve(): void {
    let refused = false;
    this.client.connect({ host: SERVER_IP, port: 9 }).onClose = () => (refused = true);
    this.until(() => refused, 5, 'an answer');
  }

  /** One turn: what is due at the time that it begins. @returns that time in microseconds. */
  turn(): number {
    const nowUs = this.clock.read();
    this.timers.fire(nowUs);
    return nowUs;
  }

  /** Turns for so many seconds. @returns the length in microseconds, to the microsecond. */
  run(seconds: number): number {
    const startUs = this.clock.read();
    const endUs = startUs + seconds * 1e6;
    let nowUs = startUs;
    while (nowUs < endUs) nowUs = this.turn();
    return nowUs - startUs;
  }

  /** Turns until something has come true. @throws Error when it has not after so many seconds. */
  until(done: () => boolean, seconds: number, what: string): void {
    const endUs = this.clock.read() + seconds * 1e6;
    while (!done()) if (this.turn() > endUs) throw new Error(`${what}: not there after ${seconds} s`);
  }

  close(): void {
    this.client.close();
    this.server.close();
  }
}
