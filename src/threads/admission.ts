import type { SharedCounters } from "./shared_counters.ts";
import type { SigningCounter } from "./signing_memory.ts";

export interface AdmissionLimits {
  readonly requests: number;
  readonly bytes: number;
}

/**
 * Bounds what waits for the signing threads, over all event loops. A connection may hold as much as
 * there is room left: one that floods the server gets half, and there is always room for a newcomer.
 */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #counters: SharedCounters<SigningCounter>;
  readonly #held = new Map<object, { requests: number; bytes: number }>();
  #largest = 0;

  constructor(limits: AdmissionLimits, counters: SharedCounters<SigningCounter>) {
    this.#limits = limits;
    this.#counters = counters;
  }

  /** The most requests of all loops that this one has seen at once. */
  get largest(): number {
    return this.#largest;
  }

  /** @returns false where there is no room; nothing is counted then */
  admit(connection: object, bytes: number): boolean {
    const held = this.#held.get(connection) ?? { requests: 0, bytes: 0 };
    const requests = this.#counters.sum("requests");
    if (held.requests >= this.#limits.requests - requests) return false;
    if (held.bytes + bytes > this.#limits.bytes - this.#counters.sum("bytes")) return false;
    this.#largest = Math.max(this.#largest, requests + 1);
    if (held.requests === 0) this.#held.set(connection, held);
    this.#count(held, 1, bytes);
    return true;
  }

  /** What was admitted is answered, or given up. */
  release(connection: object, bytes: number): void {
    const held = this.#held.get(connection)!;
    if (held.requests === 1) this.#held.delete(connection);
    this.#count(held, -1, -bytes);
  }

  #count(held: { requests: number; bytes: number }, requests: number, bytes: number): void {
    held.requests += requests;
    held.bytes += bytes;
    this.#counters.add("requests", requests);
    this.#counters.add("bytes", bytes);
    this.#counters.set("connections", this.#held.size);
  }
}
