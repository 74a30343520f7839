import { type Clock, NEVER } from '@qanat/clock';
import { CONSTANTS } from '../constants.ts';
import { done, failed, OpenFile } from './open-file.ts';
import type { EpollEvent, Outcome, PendingCall } from './system-calls.ts';

const C = CONSTANTS as Readonly<Record<string, number>>;
const ALWAYS = C['EPOLLERR']! | C['EPOLLHUP']!;

interface Interest {
  readonly file: OpenFile;
  events: number;
  data: number;
  /** Wake-ups of the file that an edge-triggered entry has reported. */
  seenWakes: number;
  /** Reported once after it was added or changed, and after each wake-up. */
  fresh: boolean;
  disabled: boolean;
}

/** An epoll instance: level and edge triggered, one-shot. */
export class EpollFile extends OpenFile {
  readonly #clock: Clock;
  readonly #interests = new Map<number, Interest>();

  constructor(clock: Clock) {
    super();
    this.#clock = clock;
  }

  control(operation: number, fd: number, file: OpenFile | undefined, event: EpollEvent): PendingCall {
    if (!file) return failed('EBADF');
    const there = this.#interests.get(fd);
    switch (operation) {
      case C['EPOLL_CTL_ADD']:
        if (there) return failed('EEXIST');
        this.#interests.set(fd, {
          file,
          events: event.events,
          data: event.data,
          seenWakes: file.wakes,
          fresh: true,
          disabled: false,
        });
        return done(0);
      case C['EPOLL_CTL_MOD']:
        if (!there) return failed('ENOENT');
        Object.assign(there, { events: event.events, data: event.data, fresh: true, disabled: false });
        return done(0);
      case C['EPOLL_CTL_DEL']:
        return this.#interests.delete(fd) ? done(0) : failed('ENOENT');
      default:
        return failed('EINVAL');
    }
  }

  /** A descriptor is closed: its entry goes with it. */
  forget(fd: number): void {
    this.#interests.delete(fd);
  }

  wait(most: number, timeoutMs: number): PendingCall {
    if (most <= 0) return failed('EINVAL');
    const deadlineUs = timeoutMs < 0 ? NEVER : this.#clock.now() + timeoutMs * 1000;
    const attempt = (): Outcome | undefined => {
      const epoll = this.#ready(most);
      if (epoll.length > 0 || this.#clock.now() >= deadlineUs) return { value: epoll.length, errno: 0, epoll };
      return undefined;
    };
    return { attempt, deadlineUs };
  }

  #ready(most: number): EpollEvent[] {
    const ready: EpollEvent[] = [];
    for (const interest of this.#interests.values()) {
      if (ready.length === most) break;
      const events = this.#events(interest);
      if (events === 0) continue;
      interest.fresh = false;
      interest.seenWakes = interest.file.wakes;
      if (interest.events & C['EPOLLONESHOT']!) interest.disabled = true;
      ready.push({ events, data: interest.data });
    }
    return ready;
  }

  #events(interest: Interest): number {
    if (interest.disabled) return 0;
    const edge = (interest.events & C['EPOLLET']!) !== 0;
    if (edge && !interest.fresh && interest.seenWakes === interest.file.wakes) return 0;
    return (interest.file.pollMask() & (interest.events | ALWAYS)) >>> 0;
  }

  override pollMask(): number {
    for (const interest of this.#interests.values()) if (this.#events(interest) !== 0) return C['POLLIN']!;
    return 0;
  }
}
