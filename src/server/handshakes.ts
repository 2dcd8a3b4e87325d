import { afterOthers } from "../runtime/turn.ts";
import type { HandshakePace } from "./handshake_pace.ts";
import { type Newcomer, Newcomers } from "./newcomers.ts";
import type { Refusal } from "./refusal.ts";
import type { ServerCounters } from "./server_counters.ts";

export interface HandshakesOptions {
  /** How long a connection may wait for its turn, and how long its handshake may last. */
  readonly handshakeMs: number;
  readonly pace: HandshakePace;
  /** Where they are counted. */
  readonly counters: ServerCounters;
}

/**
 * The connections of a server whose handshake is not done: some have begun, the others wait for their
 * turn. One begins in each turn of the event loop, at the pace. Sources take turns, so that none has to
 * wait for what another sends. Of each the newest goes first: where more come than can be served, those
 * that have waited long have given up, and come again.
 */
export class Handshakes {
  readonly #options: HandshakesOptions;
  readonly #waiting = new Newcomers();
  readonly #begun = new Newcomers();
  /** One is about to begin. */
  #isBeginning = false;
  #watch: ReturnType<typeof setTimeout> | undefined;

  constructor(options: HandshakesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size + this.#begun.size;
  }

  /** A connection has come. */
  add(newcomer: Newcomer): void {
    this.#waiting.add(newcomer, performance.now());
    this.#count();
    newcomer.socket.once("close", () => this.ended(newcomer));
    if (this.#watch === undefined) this.#cutLate();
    if (!this.#isBeginning) this.#beginNext();
  }

  /** Its handshake is done, or the connection gone. */
  ended(newcomer: Newcomer): void {
    if (this.#waiting.delete(newcomer) || this.#begun.delete(newcomer)) this.#count();
  }

  /**
   * Cuts a connection for another: the oldest whose client has let it wait for a while; else, of the
   * source that has most, the one that waits for its turn longest, or the oldest that has begun.
   *
   * @returns false where there is none
   */
  cutOldest(): boolean {
    const begun = this.#begun.oldest;
    const isSlow = begun !== undefined && performance.now() - begun.sinceMs >= SLOW_MS;
    const oldest = isSlow
      ? begun.newcomer
      : this.#waiting.oldestOfFullest ?? this.#begun.oldestOfFullest;
    if (oldest === undefined) return false;
    this.#cut(oldest, "limit", "its handshake was cut for a newcomer (max_connections)");
    return true;
  }

  /** Cuts all of them, without a word. */
  cutAll(): void {
    clearTimeout(this.#watch);
    this.#watch = undefined;
    for (const newcomers of [this.#waiting, this.#begun]) {
      for (let oldest = newcomers.oldest; oldest !== undefined; oldest = newcomers.oldest) {
        this.ended(oldest.newcomer);
        oldest.newcomer.cut();
      }
    }
  }

  #beginNext(): void {
    this.#isBeginning = this.#waiting.size > 0;
    if (!this.#isBeginning) return;
    const { pace } = this.#options;
    const waitMs = pace.waitMs();
    if (waitMs > 0) {
      setTimeout(() => this.#beginNext(), waitMs);
      return;
    }
    const next = this.#waiting.takeNext()!;
    this.#begun.add(next, performance.now());
    pace.begin();
    next.begin();
    afterOthers(() => this.#beginNext());
  }

  /** Cuts those whose time is over, and comes back when the next one's is. */
  #cutLate(): void {
    const dueMs = Math.min(
      this.#cutOlder(this.#begun, "its handshake took too long"),
      this.#cutOlder(this.#waiting, "more handshakes came than there was time for"),
    );
    const isOver = dueMs === Infinity;
    const waitMs = Math.max(1, dueMs - performance.now());
    this.#watch = isOver ? undefined : setTimeout(() => this.#cutLate(), waitMs);
  }

  /** @returns when the time of the first of the others is over */
  #cutOlder(newcomers: Newcomers, reason: string): number {
    const nowMs = performance.now();
    for (let oldest = newcomers.oldest; oldest !== undefined; oldest = newcomers.oldest) {
      const dueMs = oldest.sinceMs + this.#options.handshakeMs;
      if (dueMs > nowMs) return dueMs;
      this.#cut(oldest.newcomer, "timeout", reason);
    }
    return Infinity;
  }

  #cut(newcomer: Newcomer, outcome: Refusal["outcome"], reason: string): void {
    this.ended(newcomer);
    newcomer.cut({ outcome, reason });
  }

  #count(): void {
    this.#options.counters.set("handshaking", this.size);
  }
}

/** A client that needs longer for its part of a handshake gives way before others. */
const SLOW_MS = 1_000;
