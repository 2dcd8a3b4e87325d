import type { MeasuredRun } from "./measured_run.ts";
import type { BenchOperationResult } from "./result.ts";

/** Something that a run is judged by: "p99", or of one operation, "ecdsa-sha256.p99". */
export interface Measure {
  /** As it was written. */
  readonly name: string;
  /** Undefined for all operations together. */
  readonly operation: string | undefined;
  readonly kind: MeasureKind;
  /** Of kind "percentile": above 0, below 100. Else 0. */
  readonly percentile: number;
}

export type MeasureKind = keyof typeof UNITS;
export type Unit = (typeof UNITS)[MeasureKind];

/** What kinds of measure there are, and in what they are given. */
export const UNITS = {
  /** Of the latency of right answers. */
  percentile: "nanoseconds",
  mean: "nanoseconds",
  max: "nanoseconds",
  /** Right answers. */
  rate: "per second",
  /** Requests that were due and got no right answer: their number, or their share, 0 to 1. */
  errorCount: "count",
  errorShare: "share",
} as const;

/**
 * Reads the name of a measure: `p50`, `p99.99`, `mean`, `max`, `rate`, `errors` (their share), each
 * with an operation and a dot before it where it is of that one alone.
 *
 * @returns undefined where the text is none
 */
export function parseMeasure(name: string): Measure | undefined {
  const [, operation, word = "", digits] = MEASURE.exec(name) ?? [];
  if (digits === undefined) {
    const kind = KIND_OF_WORD.get(word);
    return kind === undefined ? undefined : { name, operation, kind, percentile: 0 };
  }
  const percentile = Number(digits);
  if (percentile <= 0) return undefined;
  return { name, operation, kind: "percentile", percentile };
}

/**
 * What a run measured, in the unit of the measure's kind.
 *
 * @returns undefined where there is nothing to tell: without a right answer no latency, without a
 *   request no share of errors, and nothing of an operation that the run does not have
 */
export function measureRun(run: MeasuredRun, measure: Measure): number | undefined {
  const { totals, operations } = run.result;
  const one = operations.find(({ name }) => name === measure.operation);
  if (measure.operation !== undefined && one === undefined) return undefined;
  if (measure.kind === "rate") return (one ?? totals).ratePerSecond;
  if (measure.kind === "errorCount") return countsOf(one ?? totals).failed;
  if (measure.kind === "errorShare") return countsOf(one ?? totals).failedShare;
  const latency = one === undefined ? run.latencyOfAll() : run.latency(one);
  if (latency.totalCount === 0) return undefined;
  if (measure.kind === "mean") return latency.mean;
  if (measure.kind === "max") return latency.maxValue;
  return latency.getValueAtPercentile(measure.percentile);
}

/** What is counted of an operation, or of all of them. */
export type Counted = Pick<BenchOperationResult, "answered" | "wrong" | "lost" | "dropped"> & {
  readonly errors: number | BenchOperationResult["errors"];
};

export interface Counts {
  readonly answered: number;
  /** Error replies. */
  readonly errors: number;
  /** Requests without a right answer: error replies, wrong answers, those lost and dropped. */
  readonly failed: number;
  /** Of all that were due, 0 to 1; undefined where none was. */
  readonly failedShare: number | undefined;
}

/** Adds up what failed. */
export function countsOf({ answered, wrong, lost, dropped, errors: replies }: Counted): Counts {
  const errors = typeof replies === "number"
    ? replies
    : replies.reduce((sum, { count }) => sum + count, 0);
  const failed = errors + wrong + lost + dropped;
  const due = answered + failed;
  return { answered, errors, failed, failedShare: due === 0 ? undefined : failed / due };
}

/** For messages and help. */
export const MEASURE_NAMES = "p50 to p99.99, mean, max, rate or errors";

const KIND_OF_WORD: ReadonlyMap<string, MeasureKind> = new Map([
  ["mean", "mean"],
  ["max", "max"],
  ["rate", "rate"],
  ["errors", "errorShare"],
]);

/** An operation's name has no dot. */
const MEASURE = /^(?:([a-z\d][a-z\d-]*)\.)?(p(\d{1,2}(?:\.\d{1,6})?)|[a-z]+)$/;
