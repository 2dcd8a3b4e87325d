import { clearTimeout, setTimeout } from "node:timers";

/** Something that is given up at a point in time. */
export interface Expiring {
  /** On the clock of `performance.now()`, in milliseconds. */
  readonly deadlineMs: number;
  expire(): void;
}

/**
 * Many deadlines on one timer, so that a request costs no timer of its own. The timer is set to the
 * earliest deadline that was seen, and does not keep the process alive.
 */
export class Deadlines {
  readonly #items = new Set<Expiring>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #armedMs = Infinity;

  add(item: Expiring): void {
    this.#items.add(item);
    if (item.deadlineMs < this.#armedMs) this.#arm(item.deadlineMs);
  }

  delete(item: Expiring): void {
    this.#items.delete(item);
  }

  #arm(deadlineMs: number): void {
    clearTimeout(this.#timer);
    this.#armedMs = deadlineMs;
    const delayMs = Math.min(Math.max(1, deadlineMs - performance.now()), MAX_TIMER_MS);
    this.#timer = setTimeout(() => this.#sweep(), Math.ceil(delayMs)).unref();
  }

  #sweep(): void {
    this.#armedMs = Infinity;
    const nowMs = performance.now();
    let earliestMs = Infinity;
    for (const item of this.#items) {
      if (item.deadlineMs > nowMs) {
        earliestMs = Math.min(earliestMs, item.deadlineMs);
      } else {
        this.#items.delete(item);
        item.expire();
      }
    }
    if (earliestMs < this.#armedMs) this.#arm(earliestMs);
  }
}

/** The longest delay that timers take. */
export const MAX_TIMER_MS = 0x7fff_ffff;
