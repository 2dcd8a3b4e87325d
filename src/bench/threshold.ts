import { parseDuration } from "../text/duration.ts";
import { KeylessError, messageOf } from "../errors/errors.ts";
import { quoted } from "../errors/printable.ts";
import {
  type Measure,
  MEASURE_NAMES,
  type MeasureKind,
  measureRun,
  parseMeasure,
  UNITS,
} from "./measure.ts";
import type { MeasuredRun } from "./measured_run.ts";

/** What must hold of a run: "p99<5ms". */
export interface Threshold {
  /** As it was written. */
  readonly text: string;
  readonly measure: Measure;
  readonly comparator: Comparator;
  /** In the unit of the measure's kind. */
  readonly bound: number;
}

export type Comparator = keyof typeof COMPARATORS;

export interface Verdict {
  readonly threshold: Threshold;
  /** In the unit of the measure's kind; undefined where there is nothing to tell. */
  readonly measured: number | undefined;
  /** What could not be measured does not hold. */
  readonly holds: boolean;
}

/**
 * Reads a threshold: a measure, `<`, `<=`, `>` or `>=`, and a value. Latencies are durations
 * (`5ms`), `errors` a share (`0.1%`) or a number, `rate` a number of right answers a second.
 *
 * @throws KeylessError "USAGE"
 */
export function parseThreshold(text: string): Threshold {
  const shown = `threshold ${quoted(text)}`;
  const [, name = "", comparator, value = ""] = THRESHOLD.exec(text) ?? [];
  if (!isComparator(comparator)) {
    throw usage(`${shown} is none; write a measure, < or >, and a value, like ${EXAMPLES}`);
  }
  const measure = parseMeasure(name);
  if (measure === undefined) {
    throw usage(
      `${shown} is of ${quoted(name)}, which is not measured; give ${MEASURE_NAMES}, ` +
        `of one operation like ecdsa-sha256.p99`,
    );
  }
  const { kind, bound } = readBound(measure.kind, value, shown);
  return { text, measure: { ...measure, kind }, comparator, bound };
}

/**
 * Refuses a threshold for an operation that a run will not have.
 *
 * @param operations the names of those that it will have
 * @throws KeylessError "USAGE"
 */
export function checkOperation(
  { text, measure: { operation } }: Threshold,
  operations: readonly string[],
): void {
  if (operation === undefined || operations.includes(operation)) return;
  throw usage(
    `threshold ${quoted(text)} is of ${quoted(operation)}, which this run does not do; ` +
      `it does ${operations.join(", ")}`,
  );
}

/** Whether each threshold holds of a run, in their order. */
export function judge(thresholds: readonly Threshold[], run: MeasuredRun): readonly Verdict[] {
  return thresholds.map((threshold) => {
    const measured = measureRun(run, threshold.measure);
    const holds = measured !== undefined &&
      COMPARATORS[threshold.comparator](measured, threshold.bound);
    return { threshold, measured, holds };
  });
}

const COMPARATORS = {
  "<": (a: number, b: number) => a < b,
  "<=": (a: number, b: number) => a <= b,
  ">": (a: number, b: number) => a > b,
  ">=": (a: number, b: number) => a >= b,
} as const;

const THRESHOLD = /^\s*([^<>=\s]+)\s*([<>]=?)\s*([^<>=\s]+)\s*$/;
const NUMBER = /^\d{1,15}(?:\.\d{1,9})?$/;
const EXAMPLES = "'p99<5ms', 'errors<0.1%' or 'rate>10000'";

function isComparator(text: string | undefined): text is Comparator {
  return text !== undefined && Object.hasOwn(COMPARATORS, text);
}

/** A number of errors is measured in another unit than their share. */
function readBound(
  kind: MeasureKind,
  value: string,
  shown: string,
): { readonly kind: MeasureKind; readonly bound: number } {
  if (UNITS[kind] === "nanoseconds") return { kind, bound: readNanoseconds(value, shown) };
  if (kind === "errorShare" && value.endsWith("%") && NUMBER.test(value.slice(0, -1))) {
    return { kind, bound: Number(value.slice(0, -1)) / 100 };
  }
  if (!NUMBER.test(value)) {
    const wanted = kind === "rate"
      ? "a number a second, like 10000"
      : "a share like 0.1%, or a number";
    throw usage(`${shown} has ${quoted(value)} for a value; write ${wanted}`);
  }
  return { kind: kind === "errorShare" ? "errorCount" : kind, bound: Number(value) };
}

function readNanoseconds(value: string, shown: string): number {
  try {
    return parseDuration(value) * 1e6;
  } catch (cause) {
    throw new KeylessError("USAGE", `${shown}: ${messageOf(cause)}`, { cause });
  }
}

function usage(message: string): KeylessError {
  return new KeylessError("USAGE", message);
}
