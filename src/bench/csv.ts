import type { Histogram } from "./histogram.ts";
import { type Counted, countsOf } from "./measure.ts";
import type { MeasuredRun } from "./measured_run.ts";

/**
 * A run as CSV (RFC 4180, but lines end with a line feed): a row for each second, then one for each
 * operation, then one for all of them. `kind` tells them apart; a cell is empty where the row has
 * no such number. `errors` counts error replies, and requests that were lost or dropped.
 */
export function csvOf(run: MeasuredRun): string {
  const { series, operations, totals, elapsedMs } = run.result;
  const whole = { at_seconds: 0, span_seconds: elapsedMs / 1_000 };
  const rows: readonly Row[] = [
    ...series.map((second): Row => ({
      kind: "second",
      at_seconds: second.atSeconds,
      span_seconds: second.spanSeconds,
      answered: second.answered,
      errors: second.errors,
      rate_per_second: second.ratePerSecond,
      ...(second.answered === 0 ? {} : {
        p50_ms: inMs(second.p50Ns),
        p99_ms: inMs(second.p99Ns),
      }),
    })),
    ...operations.map((operation): Row => ({
      kind: "operation",
      operation: operation.name,
      ...whole,
      ...countCells(operation),
      ...latencyCells(run.latency(operation)),
    })),
    { kind: "total", ...whole, ...countCells(totals), ...latencyCells(run.latencyOfAll()) },
  ];
  const lines = rows.map((row) => COLUMNS.map((column) => cellText(row[column])).join(","));
  return [COLUMNS.join(","), ...lines, ""].join("\n");
}

const PERCENTILES = [50, 90, 99, 99.9, 99.99] as const;

const COLUMNS = [
  ...["kind", "operation", "at_seconds", "span_seconds"],
  ...["sent", "answered", "wrong", "errors", "rate_per_second"],
  ...["mean_ms", ...PERCENTILES.map(columnOf), "max_ms"],
];

type Row = Readonly<Record<string, string | number | undefined>>;

function countCells(
  counted: Counted & { readonly sent: number; readonly ratePerSecond: number },
): Row {
  const { answered, errors } = countsOf(counted);
  return {
    sent: counted.sent,
    answered,
    wrong: counted.wrong,
    errors: errors + counted.lost + counted.dropped,
    rate_per_second: counted.ratePerSecond,
  };
}

function latencyCells(latency: Histogram): Row {
  if (latency.totalCount === 0) return {};
  const percentiles = PERCENTILES.map((percentile) =>
    [columnOf(percentile), inMs(latency.getValueAtPercentile(percentile))] as const
  );
  return {
    mean_ms: inMs(latency.mean),
    ...Object.fromEntries(percentiles),
    max_ms: inMs(latency.maxValue),
  };
}

/** "p99_9_ms": names without dots suit every tool. */
function columnOf(percentile: number): string {
  return `p${String(percentile).replace(".", "_")}_ms`;
}

function inMs(nanoseconds: number): number {
  return nanoseconds / 1e6;
}

/** Six decimals are a nanosecond. */
function cellText(cell: string | number | undefined): string {
  return typeof cell === "number" ? String(Number(cell.toFixed(6))) : cell ?? "";
}
