import { clearTimeout, setTimeout } from "node:timers";

/** Something that is given up at a point in time. */
export interface Expiring {
  /** On the clock of `performance.now()`, in milliseconds. */
  readonly deadlineMs: number;
  /** How long before that it was begun. */
  readonly timeoutMs: number;
  expire(): void;
}

/**
 * Many deadlines on one timer, so that a request costs no timer of its own. The timer is set to the
 * earliest deadline that was seen, and does not keep the process alive. Those of one timeout expire
 * in the order in which they were added, so that nobody looks at those behind the first that is left.
 */
export class Deadlines {
  readonly #byTimeout = new Map<number, Set<Expiring>>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #armedMs = Infinity;

  add(item: Expiring): void {
    const items = this.#byTimeout.get(item.timeoutMs);
    if (items === undefined) this.#byTimeout.set(item.timeoutMs, new Set([item]));
    else items.add(item);
    if (item.deadlineMs < this.#armedMs) this.#arm(item.deadlineMs);
  }

  delete(item: Expiring): void {
    const items = this.#byTimeout.get(item.timeoutMs);
    if (items?.delete(item) && items.size === 0) this.#byTimeout.delete(item.timeoutMs);
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
    for (const items of this.#byTimeout.values()) {
      for (const item of items) {
        if (item.deadlineMs > nowMs) {
          earliestMs = Math.min(earliestMs, item.deadlineMs);
          break;
        }
        this.delete(item);
        item.expire();
      }
    }
    if (earliestMs < this.#armedMs) this.#arm(earliestMs);
  }
}

/** The longest delay that timers take. */
export const MAX_TIMER_MS = 0x7fff_ffff;
