import type { SharedCounters } from "./shared_counters.ts";
import type { SigningCounter } from "./signing_memory.ts";

/** What requests take: their number, bytes of memory, and work of a signing thread. */
export interface Amounts {
  readonly requests: number;
  readonly bytes: number;
  /** Whole hundredths of a millisecond: counters are integers. */
  readonly work: number;
}

/**
 * Bounds what waits for the signing threads, over all event loops. A connection may hold as much as
 * there is room left: one that floods the server gets half, and there is always room for a newcomer.
 *
 * Where the bound on work is what the threads can do in some time, nobody waits for longer than that.
 */
export class Admission {
  readonly #counters: SharedCounters<SigningCounter>;
  readonly #held = new Map<object, { -readonly [Name in keyof Amounts]: number }>();
  #largest = 0;

  constructor(counters: SharedCounters<SigningCounter>) {
    this.#counters = counters;
  }

  /** The most requests of all loops that this one has seen at once. */
  get largest(): number {
    return this.#largest;
  }

  /**
   * Counts a request in, if there is room: it may be the one that goes beyond a bound.
   *
   * @returns what there is too much of; nothing is counted then
   */
  admit(connection: object, asked: Amounts, bounds: Amounts): keyof Amounts | undefined {
    const held = this.#held.get(connection) ?? { requests: 0, bytes: 0, work: 0 };
    for (const name of NAMES) {
      if (held[name] >= bounds[name] - this.#counters.sum(name)) return name;
    }
    if (held.requests === 0) this.#held.set(connection, held);
    for (const name of NAMES) this.#count(held, name, asked[name]);
    this.#counters.set("connections", this.#held.size);
    this.#largest = Math.max(this.#largest, this.#counters.sum("requests"));
    return undefined;
  }

  /** What was admitted is answered, or given up. */
  release(connection: object, asked: Amounts): void {
    const held = this.#held.get(connection)!;
    for (const name of NAMES) this.#count(held, name, -asked[name]);
    if (held.requests === 0) this.#held.delete(connection);
    this.#counters.set("connections", this.#held.size);
  }

  #count(
    held: { -readonly [Name in keyof Amounts]: number },
    name: keyof Amounts,
    change: number,
  ): void {
    held[name] += change;
    this.#counters.add(name, change);
  }
}

const NAMES = ["requests", "bytes", "work"] as const satisfies readonly (keyof Amounts)[];
