/** When requests are due in an open loop: whatever comes back, and when. */
export interface Schedule {
  readonly ratePerSecond: number;
  /** So long the rate climbs from 0. */
  readonly rampMs: number;
}

/** When request number `index`, counted from 0, is due: milliseconds after the start. */
export function dueMs({ ratePerSecond, rampMs }: Schedule, index: number): number {
  const perMs = ratePerSecond / 1_000;
  const inRamp = perMs * rampMs / 2;
  if (index < inRamp) return Math.sqrt(2 * index * rampMs / perMs);
  return rampMs + (index - inRamp) / perMs;
}
