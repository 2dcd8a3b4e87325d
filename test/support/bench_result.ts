import { createHistogram, encodeHistogram } from "../../src/bench/histogram.ts";
import { MeasuredRun } from "../../src/bench/measured_run.ts";
import type { BenchOperationResult, BenchResult } from "../../src/bench/result.ts";

/** An operation of a made-up run; latencies in nanoseconds. */
export interface MadeOperation {
  readonly name?: string;
  readonly latencies?: Iterable<number>;
  readonly serviceTimes?: Iterable<number>;
  readonly errors?: BenchOperationResult["errors"];
  readonly wrong?: number;
  readonly lost?: number;
  readonly dropped?: number;
}

/** A run of 10 s as `--json` writes it, with these latencies; everything else is plain. */
export function makeResult(
  operations: readonly MadeOperation[] = [{}],
  changes: Partial<BenchResult> = {},
): BenchResult {
  const made = operations.map(makeOperation);
  const sum = (pick: (operation: BenchOperationResult) => number) =>
    made.reduce((total, operation) => total + pick(operation), 0);
  const answered = sum((operation) => operation.answered);
  const isOpen = made.some(({ serviceNs }) => serviceNs !== null);
  return {
    schema: "keyless-bench/1",
    started: "2026-01-31T12:00:00.000Z",
    tool: {
      version: "0.1.0",
      runtime: "bun 1.4.4",
      platform: "linux x64",
      cpuModel: "A CPU",
      cores: 2,
    },
    targets: ["localhost:2407"],
    options: {
      operations: made.map(({ name }) => ({ name, weight: 1, keys: name === "ping" ? 0 : 3 })),
      connections: 16,
      inFlight: 4,
      threads: 1,
      mode: isOpen ? "open" : "closed",
      ratePerSecond: isOpen ? 1_000 : null,
      rampMs: 0,
      warmupMs: 1_000,
      durationMs: ELAPSED_MS,
      requests: null,
      timeoutMs: 10_000,
      verifyEvery: 1_000,
    },
    endedEarly: null,
    elapsedMs: ELAPSED_MS,
    totals: {
      sent: sum((operation) => operation.sent),
      answered,
      wrong: sum((operation) => operation.wrong),
      errors: sum(({ errors }) => errors.reduce((total, { count }) => total + count, 0)),
      lost: sum((operation) => operation.lost),
      dropped: sum((operation) => operation.dropped),
      late: 0,
      ratePerSecond: answered / ELAPSED_MS * 1_000,
    },
    operations: made,
    transportErrors: [],
    connects: { made: 16, failed: 0, setUpNs: encoded([2_000_000]) },
    pacerLatenessNs: isOpen ? encoded([5_000]) : null,
    series: Array.from({ length: 10 }, (_, at) => ({
      atSeconds: at,
      spanSeconds: 1,
      answered: 100 + at,
      ratePerSecond: 100 + at,
      errors: 0,
      p50Ns: 1_000_000,
      p99Ns: 5_000_000,
    })),
    verification: { checked: 1, skipped: 0 },
    client: { threads: [{ cpuShare: 0.4, waitShare: 0 }], isBottleneck: false, reason: null },
    ...changes,
  };
}

/** The same, ready to be measured. */
export function makeRun(...parts: Parameters<typeof makeResult>): MeasuredRun {
  return new MeasuredRun(makeResult(...parts));
}

/** 1 to `count` microseconds, in nanoseconds: the p-th percentile is p % of the last. */
export function microsecondsTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, at) => (at + 1) * 1_000);
}

const ELAPSED_MS = 10_000;

function makeOperation(
  { name = "ecdsa-sha256", latencies = [1_000_000], serviceTimes, errors = [], ...more }:
    MadeOperation,
): BenchOperationResult {
  const { wrong = 0, lost = 0, dropped = 0 } = more;
  const answered = [...latencies].length;
  const replies = errors.reduce((total, { count }) => total + count, 0);
  return {
    name,
    sent: answered + wrong + lost + replies,
    answered,
    wrong,
    errors,
    lost,
    dropped,
    ratePerSecond: answered / ELAPSED_MS * 1_000,
    latencyNs: encoded(latencies),
    serviceNs: serviceTimes === undefined ? null : encoded(serviceTimes),
  };
}

function encoded(values: Iterable<number>): string {
  const histogram = createHistogram();
  for (const value of values) histogram.recordValue(value);
  return encodeHistogram(histogram);
}
