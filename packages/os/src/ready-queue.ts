/** Tasks that shall run soon, first in first out: a ring that grows when it is full and never shrinks. */
export class ReadyQueue {
  #tasks: ((() => void) | undefined)[] = new Array(64).fill(undefined);
  #head = 0;
  #count = 0;

  get length(): number {
    return this.#count;
  }

  push(task: () => void): void {
    if (this.#count === this.#tasks.length) this.#grow();
    this.#tasks[(this.#head + this.#count) & (this.#tasks.length - 1)] = task;
    this.#count++;
  }

  /** Runs the tasks that are in the queue now, at most `limit`; what they add waits. @returns how many ran. */
  run(limit: number): number {
    const tasks = Math.min(this.#count, limit);
    for (let i = 0; i < tasks; i++) {
      const task = this.#tasks[this.#head]!;
      this.#tasks[this.#head] = undefined;
      this.#head = (this.#head + 1) & (this.#tasks.length - 1);
      this.#count--;
      task();
    }
    return tasks;
  }

  #grow(): void {
    const old = this.#tasks;
    this.#tasks = new Array(old.length * 2).fill(undefined);
    for (let i = 0; i < this.#count; i++) this.#tasks[i] = old[(this.#head + i) & (old.length - 1)];
    this.#head = 0;
  }
}
