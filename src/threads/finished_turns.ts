import type { Signals } from "./signals.ts";

/**
 * The loops of which a signing thread has finished turns that they do not know of yet.
 *
 * A thread that has more to do rings for two short turns at once: an event loop that is woken after
 * other threads had its core, and the client that it writes to then, take longer to come back to work
 * than to deal with a turn.
 */
export class FinishedTurns {
  readonly #signals: Pick<Signals, "ringLoop">;
  readonly #loops = new Set<number>();
  #workMs = 0;

  constructor(signals: Pick<Signals, "ringLoop">) {
    this.#signals = signals;
  }

  /** Adds a turn of the loop that took so long, and rings where it is time to. */
  add(loop: number, durationMs: number): void {
    this.#loops.add(loop);
    this.#workMs += durationMs;
    if (this.#workMs >= RING_MS) this.ring();
  }

  /** Tells the loops: for when the thread has nothing else to do. */
  ring(): void {
    for (const loop of this.#loops) this.#signals.ringLoop(loop);
    this.#loops.clear();
    this.#workMs = 0;
  }
}

/** More than a turn of `FairQueue` takes, unless of a slow key, and less than two. */
const RING_MS = 1.5;
