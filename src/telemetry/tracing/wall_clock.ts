import type { HrTime } from "@opentelemetry/api";

/** Times on the clock of `performance.now()`, in milliseconds, as seconds and nanoseconds of 1970. */
export type ToWallTime = (ms: number) => HrTime;

/**
 * What times on the clock of `performance.now()` are on the wall's. That clock never jumps, and runs
 * on its own: where the wall's has been set, or has drifted off, its origin follows.
 */
export class WallClock {
  #originMs = performance.timeOrigin;

  /** For the times of one request: however they are rounded, they keep their order. */
  now(): ToWallTime {
    const originMs = Date.now() - performance.now();
    if (Math.abs(originMs - this.#originMs) > TOLERANCE_MS) this.#originMs = originMs;
    const from = this.#originMs;
    return (ms) => toHrTime(from + ms);
  }
}

/** More than the rounding of `Date.now()`, and less than anybody would notice. */
const TOLERANCE_MS = 5;

function toHrTime(epochMs: number): HrTime {
  const seconds = Math.floor(epochMs / 1_000);
  return [seconds, Math.floor((epochMs - seconds * 1_000) * 1e6)];
}
