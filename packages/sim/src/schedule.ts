/**
 * Schedule: what is due when, in virtual time; a binary heap by (due time, order of asking).
 *
 * Equal times run in the order in which they were asked for, so the run is the same each time.
 */

export interface Task {
  readonly dueMillis: number;
  readonly order: number;
  run: (() => void) | undefined;
}

export class Schedule {
  readonly #heap: Task[] = [];
  #order = 0;

  /** Entries, cancelled ones included until their time comes. */
  get size(): number {
    return this.#heap.length;
  }

  add(dueMillis: number, run: () => void): Task {
    const task: Task = { dueMillis, order: this.#order, run };
    this.#order += 1;
    this.#heap.push(task);
    this.#siftUp(this.#heap.length - 1);
    return task;
  }

  peek(): Task | undefined {
    return this.#heap[0];
  }

  take(): Task | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    this.#heap[0] = last;
    this.#siftDown(last);
    return first;
  }

  #siftUp(start: number): void {
    let index = start;
    const task = this.#heap[index];
    if (task === undefined) return;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#heap[parentIndex];
      if (parent === undefined || isBefore(parent, task)) break;
      this.#heap[index] = parent;
      index = parentIndex;
    }
    this.#heap[index] = task;
  }

  #siftDown(task: Task): void {
    let index = 0;
    for (;;) {
      const leftIndex = 2 * index + 1;
      const left = this.#heap[leftIndex];
      if (left === undefined) break;
      const right = this.#heap[leftIndex + 1];
      const isRight = right !== undefined && isBefore(right, left);
      const least = isRight ? right : left;
      if (isBefore(task, least)) break;
      this.#heap[index] = least;
      index = isRight ? leftIndex + 1 : leftIndex;
    }
    this.#heap[index] = task;
  }
}

function isBefore(a: Task, b: Task): boolean {
  return a.dueMillis < b.dueMillis || (a.dueMillis === b.dueMillis && a.order < b.order);
}
