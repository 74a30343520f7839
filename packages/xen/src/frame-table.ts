import { PAGE_SHIFT, PAGE_SIZE } from '@qanat/bytes';
import {
  FRAME_FREE,
  FRAME_FREE_DIRTY,
  FRAME_OWNER_BASE,
  FRAME_TABLE_ADDR,
  MACHINE_ADDR,
  MACHINE_FIRST_FRAME,
} from './machine-layout.ts';
import type { MachineState } from './machine-state.ts';

/** Who owns which frame of machine memory. Changed under the domain lock only; read by everybody. */
export class FrameTable {
  readonly #state: MachineState;
  readonly #u16: Uint16Array;
  readonly #base = FRAME_TABLE_ADDR >>> 1;

  constructor(state: MachineState) {
    this.#state = state;
    this.#u16 = state.memory.u16;
  }

  /** Whether `frame` exists and belongs to `domid`. */
  owns(domid: number, frame: number): boolean {
    return frame < this.#state.frames && this.#u16[this.#base + frame] === FRAME_OWNER_BASE + domid;
  }

  /** @returns the address of `count` adjoining zeroed frames, now `owner`'s (FRAME_XEN or FRAME_OWNER_BASE + domid), or 0. */
  allocate(count: number, owner: number): number {
    const first = this.#state.memory.u32[(MACHINE_ADDR + MACHINE_FIRST_FRAME) >>> 2]!;
    let run = 0;
    for (let frame = first; frame < this.#state.frames; frame++) {
      const free = this.#u16[this.#base + frame]! <= FRAME_FREE_DIRTY;
      run = free ? run + 1 : 0;
      if (run === count) {
        const start = frame - count + 1;
        this.#take(start, count, owner);
        return start << PAGE_SHIFT;
      }
    }
    return 0;
  }

  /** Changes the owner of `count` frames from `addr` on. */
  assign(addr: number, count: number, owner: number): void {
    const start = this.#base + (addr >>> PAGE_SHIFT);
    this.#u16.fill(owner, start, start + count);
  }

  free(addr: number, count: number): void {
    this.assign(addr, count, FRAME_FREE_DIRTY);
  }

  /** Frames that nobody owns. */
  get freeFrames(): number {
    let free = 0;
    for (let frame = 0; frame < this.#state.frames; frame++) {
      if (this.#u16[this.#base + frame]! <= FRAME_FREE_DIRTY) free++;
    }
    return free;
  }

  #take(start: number, count: number, owner: number): void {
    for (let frame = start; frame < start + count; frame++) {
      if (this.#u16[this.#base + frame] !== FRAME_FREE) {
        this.#state.memory.kernel.fill(frame << PAGE_SHIFT, 0, PAGE_SIZE);
      }
      this.#u16[this.#base + frame] = owner;
    }
  }
}
