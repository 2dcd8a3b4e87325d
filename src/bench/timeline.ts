import type { Phase } from "./messages.ts";

export interface TimelineObserver {
  /** An interval is over: a second, or less at the end of a phase. */
  intervalOver(phase: Phase, index: number, spanMs: number): void;
  /** The measured time is over: the last answers are waited for. */
  drainBegun(atMs: number): void;
}

/**
 * The course of a run: warm-up, measured time, drain; each in intervals of a second. It goes on when
 * it is told what time it is; all times are of `performance.now()`.
 */
export class Timeline {
  readonly #observer: TimelineObserver;
  #phase: Phase = "warmup";
  #measureStartMs = Infinity;
  #measureEndMs = Infinity;
  #phaseStartMs = 0;
  #intervalStartMs = 0;
  #intervalIndex = 0;
  /** When the interval or the phase ends, whichever comes first. */
  #boundaryMs = Infinity;

  constructor(observer: TimelineObserver) {
    this.#observer = observer;
  }

  /** "warmup" before `begin`. */
  get phase(): Phase {
    return this.#phase;
  }

  /** What is due from here on is measured; Infinity before `begin`. */
  get measureStartMs(): number {
    return this.#measureStartMs;
  }

  begin(nowMs: number, measureStartMs: number, measureEndMs: number): void {
    this.#measureStartMs = measureStartMs;
    this.#measureEndMs = measureEndMs;
    this.#enter(measureStartMs <= nowMs ? "measure" : "warmup", nowMs);
  }

  /** Goes on to the interval and the phase that a moment is in. */
  advance(nowMs: number): void {
    while (nowMs >= this.#boundaryMs) {
      const boundaryMs = this.#boundaryMs;
      const isWarmedUp = this.#phase === "warmup" && boundaryMs >= this.#measureStartMs;
      if (!isWarmedUp && boundaryMs >= this.#measureEndMs) return this.drain(boundaryMs);
      this.endInterval(boundaryMs);
      if (isWarmedUp) this.#enter("measure", boundaryMs);
      else this.#setBoundary();
    }
  }

  /** Ends the interval; the next one begins. */
  endInterval(endMs: number): void {
    this.#observer.intervalOver(this.#phase, this.#intervalIndex, endMs - this.#intervalStartMs);
    this.#intervalStartMs = endMs;
    this.#intervalIndex++;
  }

  /** Ends warm-up or measured time, to which the timeline was advanced. */
  drain(atMs: number): void {
    if (this.#intervalStartMs < atMs) this.endInterval(atMs);
    this.#enter("drain", atMs);
    this.#observer.drainBegun(atMs);
  }

  #enter(phase: Phase, atMs: number): void {
    this.#phase = phase;
    this.#phaseStartMs = atMs;
    this.#intervalStartMs = atMs;
    this.#intervalIndex = 0;
    this.#setBoundary();
  }

  #setBoundary(): void {
    const nextMs = this.#phaseStartMs + (this.#intervalIndex + 1) * INTERVAL_MS;
    const phaseEndMs = this.#phase === "warmup" ? this.#measureStartMs : this.#measureEndMs;
    this.#boundaryMs = this.#phase === "drain" ? Infinity : Math.min(nextMs, phaseEndMs);
  }
}

const INTERVAL_MS = 1_000;
