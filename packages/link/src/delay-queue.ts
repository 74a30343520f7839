/**
 * Buffers (by token) that wait for their time: a binary heap in typed arrays. Equal times keep the order of `push`.
 */
export class DelayQueue {
  #timeUs = new Float64Array(64);
  #order = new Float64Array(64);
  #token = new Int32Array(64);
  #size = 0;
  #pushes = 0;

  get size(): number {
    return this.#size;
  }

  /** When the first is due, in microseconds; Infinity when there is none. */
  get nextUs(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#timeUs[0]!;
  }

  push(token: number, timeUs: number): void {
    if (this.#size === this.#token.length) this.#grow();
    const order = this.#pushes++;
    let index = this.#size++;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      // A new entry has the highest order: only an earlier time lets it pass.
      if (this.#timeUs[parent]! <= timeUs) break;
      this.#move(parent, index);
      index = parent;
    }
    this.#set(index, token, timeUs, order);
  }

  /** Takes the first. @returns its token, or -1 when there is none. */
  pop(): number {
    if (this.#size === 0) return -1;
    const token = this.#token[0]!;
    const last = --this.#size;
    if (last === 0) return token;
    const timeUs = this.#timeUs[last]!;
    const order = this.#order[last]!;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= last) break;
      if (child + 1 < last && this.#isBefore(this.#timeUs[child + 1]!, this.#order[child + 1]!, child)) child++;
      if (this.#isBefore(timeUs, order, child)) break;
      this.#move(child, index);
      index = child;
    }
    this.#set(index, this.#token[last]!, timeUs, order);
    return token;
  }

  #isBefore(timeUs: number, order: number, index: number): boolean {
    const otherUs = this.#timeUs[index]!;
    return timeUs < otherUs || (timeUs === otherUs && order < this.#order[index]!);
  }

  #move(from: number, to: number): void {
    this.#timeUs[to] = this.#timeUs[from]!;
    this.#order[to] = this.#order[from]!;
    this.#token[to] = this.#token[from]!;
  }

  #set(index: number, token: number, timeUs: number, order: number): void {
    this.#timeUs[index] = timeUs;
    this.#order[index] = order;
    this.#token[index] = token;
  }

  #grow(): void {
    const length = this.#token.length * 2;
    const timeUs = new Float64Array(length);
    timeUs.set(this.#timeUs);
    this.#timeUs = timeUs;
    const order = new Float64Array(length);
    order.set(this.#order);
    this.#order = order;
    const token = new Int32Array(length);
    token.set(this.#token);
    this.#token = token;
  }
}
