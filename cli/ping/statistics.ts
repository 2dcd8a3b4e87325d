/** Times of answers in milliseconds, summed up. */
export interface TimeSummary {
  readonly min: number;
  readonly avg: number;
  readonly max: number;
  /** The time that 99 of 100 answers took at most (nearest rank). */
  readonly p99: number;
}

/** Undefined where nothing was answered. */
export function summarizeTimes(timesMs: readonly number[]): TimeSummary | undefined {
  if (timesMs.length === 0) return undefined;
  const sorted = Float64Array.from(timesMs).sort();
  return {
    min: sorted[0]!,
    avg: sorted.reduce((sum, time) => sum + time, 0) / sorted.length,
    max: sorted.at(-1)!,
    p99: sorted[Math.ceil(sorted.length * 0.99) - 1]!,
  };
}

/** Of 100; 0 where nothing was sent. */
export function lossPercent(sent: number, received: number): number {
  return sent === 0 ? 0 : (sent - received) / sent * 100;
}
