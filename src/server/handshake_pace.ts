/**
 * How often handshakes begin: while requests are served, so often that they take a quarter of the
 * thread's time; at once while nobody asks for anything.
 *
 * What a handshake costs cannot be seen: the runtime does it between two calls of ours. So it is told
 * when the thread turns to requests and has done with them, and whatever CPU time lies between and is
 * longer than it takes to read is a handshake's, a stranger's as well as a client's.
 */
export class HandshakePace {
  readonly #cpuMs: (() => number) | undefined;
  /** What one costs, smoothed in such a way that what all have cost is counted once. */
  #costMs = FIRST_COST_MS;
  /** What handshakes have cost since the last one began. */
  #spentMs = 0;
  #dueMs = 0;
  #lastRequestMs = -Infinity;
  #measuresUntilMs = 0;
  /** On the clock of CPU time: up to there it is known what the thread has done. */
  #markMs = 0;

  /** @param cpuMs the CPU time of this thread; without it, a handshake is taken to cost 1 ms */
  constructor(cpuMs: (() => number) | undefined) {
    this.#cpuMs = cpuMs;
  }

  /** How long the next one has to wait; 0: it may begin. */
  waitMs(nowMs = performance.now()): number {
    if (nowMs - this.#lastRequestMs > IDLE_MS) return 0;
    return Math.max(0, this.#dueMs - nowMs);
  }

  /** One begins. */
  begin(nowMs = performance.now()): void {
    if (nowMs < this.#measuresUntilMs) {
      this.#spend();
      const costMs = this.#costMs + (this.#spentMs - this.#costMs) / SMOOTHING;
      this.#costMs = Math.min(costMs, MAX_COST_MS);
    }
    // what timers were late is made up for; what was not used in a quiet time is not
    const fromMs = Math.min(nowMs, Math.max(this.#dueMs, nowMs - MAX_LATE_MS));
    this.#dueMs = fromMs + this.#costMs / SHARE;
    this.#spentMs = 0;
    if (this.#cpuMs === undefined) return;
    this.#markMs = this.#cpuMs();
    this.#measuresUntilMs = nowMs + MEASURED_MS;
  }

  /** The thread turns to requests. */
  requestsBegin(nowMs: number): void {
    if (nowMs < this.#measuresUntilMs) this.#spend();
  }

  /** It has done with them; `hasWorked` where there were any. */
  requestsEnd(nowMs: number, hasWorked: boolean): void {
    if (hasWorked) this.#lastRequestMs = nowMs;
    if (nowMs < this.#measuresUntilMs) this.#markMs = this.#cpuMs!();
  }

  #spend(): void {
    const markMs = this.#cpuMs!();
    const betweenMs = markMs - this.#markMs;
    this.#markMs = markMs;
    if (betweenMs > READ_MS) this.#spentMs += betweenMs;
  }
}

/** Of the thread's time, while requests are served. */
const SHARE = 1 / 4;
/** A handshake's cost counts a little at a time, over so many that begin after it. */
const SMOOTHING = 8;
/** Until something was measured. */
const FIRST_COST_MS = 1;
/** What seems to cost more is other work; so handshakes go on whatever the thread does besides. */
const MAX_COST_MS = 5;
/** Less is what the runtime needs to read a request. */
const READ_MS = 0.05;
const MAX_LATE_MS = 50;
/** Without a request for so long, nobody is kept waiting. */
const IDLE_MS = 50;
/** So long after the beginning of one: a handshake that begins late is not measured. */
const MEASURED_MS = 1_000;
