/**
 * Numbers that several threads count together, in shared memory: a row for each thread, which alone
 * writes it, so that nothing is locked, and one that has died can be counted out.
 *
 * What is read of others' rows may be a moment old; but who sees what another thread has done since
 * in shared memory, by Atomics, sees its numbers as of then or later.
 */
export class SharedCounters<Name extends string> {
  readonly #columns: ReadonlyMap<Name, number>;
  readonly #numbers: Int32Array;
  readonly #row: number;

  /**
   * @param names the same, in the same order, in all threads
   * @param memory of `sharedCounterMemory`
   * @param row this thread's, from 0
   */
  constructor(names: readonly Name[], memory: SharedArrayBuffer, row: number) {
    this.#columns = new Map(names.map((name, column) => [name, column]));
    this.#numbers = new Int32Array(memory);
    this.#row = row * names.length;
  }

  /** Adds to this thread's number, or takes away from it. */
  add(name: Name, change: number): void {
    Atomics.add(this.#numbers, this.#row + this.#columns.get(name)!, change);
  }

  /** Sets this thread's number. */
  set(name: Name, value: number): void {
    Atomics.store(this.#numbers, this.#row + this.#columns.get(name)!, value);
  }

  /** This thread's number. */
  own(name: Name): number {
    return Atomics.load(this.#numbers, this.#row + this.#columns.get(name)!);
  }

  /** The sum over all threads. */
  sum(name: Name): number {
    let sum = 0;
    for (let at = this.#columns.get(name)!; at < this.#numbers.length; at += this.#columns.size) {
      sum += Atomics.load(this.#numbers, at);
    }
    return sum;
  }

  /** Forgets this thread's numbers: it has ended. */
  clear(): void {
    this.#numbers.fill(0, this.#row, this.#row + this.#columns.size);
  }
}

/** Memory for counters of so many names and threads. */
export function sharedCounterMemory(names: number, threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(names * threads * Int32Array.BYTES_PER_ELEMENT);
}
