/** How often something may begin: `perSecond` on average, and after a quiet time `burst` at once. */
export class Pace {
  readonly #intervalMs: number;
  readonly #burst: number;
  /** When the one after the last would begin without a burst. */
  #dueMs = 0;

  constructor({ perSecond, burst }: { readonly perSecond: number; readonly burst: number }) {
    this.#intervalMs = 1_000 / perSecond;
    this.#burst = burst;
  }

  /** How long the next one has to wait; 0: it may begin. */
  waitMs(nowMs = performance.now()): number {
    return Math.max(0, this.#dueMs - (this.#burst - 1) * this.#intervalMs - nowMs);
  }

  /** One has begun. */
  begin(nowMs = performance.now()): void {
    this.#dueMs = Math.max(this.#dueMs, nowMs) + this.#intervalMs;
  }
}
