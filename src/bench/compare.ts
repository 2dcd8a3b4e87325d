import { KeylessError } from "../errors/errors.ts";
import { printable, quoted } from "../errors/printable.ts";
import { type Measure, MEASURE_NAMES, measureRun, parseMeasure, UNITS } from "./measure.ts";
import type { MeasuredRun } from "./measured_run.ts";

/** A difference between two runs that is a failure: "p99>+10%". */
export interface ComparisonRule {
  /** As it was written. */
  readonly text: string;
  readonly measure: Measure;
  readonly comparator: "<" | ">";
  /** 0.1 for +10 %. */
  readonly bound: number;
}

/** A measure of two runs. */
export interface Difference {
  readonly measure: Measure;
  /** In the unit of the measure's kind; undefined where there is nothing to tell. */
  readonly before: number | undefined;
  readonly after: number | undefined;
  /**
   * Relative to `before`: 0.1 for a tenth more. Of a share of errors the difference of both, for
   * there is none at best. Undefined where one is undefined, or there is nothing to relate to.
   */
  readonly change: number | undefined;
}

export interface RuleVerdict {
  readonly rule: ComparisonRule;
  readonly difference: Difference;
  /** A difference that cannot be told is a failure. */
  readonly isBroken: boolean;
}

/**
 * Reads what fails a comparison: a measure, `<` or `>`, a sign and percents (`p99>+10%`,
 * `rate<-5%`); of `errors`, points of their share.
 *
 * @throws KeylessError "USAGE"
 */
export function parseComparisonRule(text: string): ComparisonRule {
  const [, name = "", comparator, sign = "", digits = ""] = RULE.exec(text) ?? [];
  if (comparator !== "<" && comparator !== ">") {
    throw usage(
      `--fail-on ${quoted(text)} is no rule; write a measure, < or >, and a signed ` +
        `percentage, like 'p99>+10%' or 'rate<-5%'`,
    );
  }
  const measure = parseMeasure(name);
  if (measure === undefined) {
    throw usage(
      `--fail-on ${quoted(text)} is of ${quoted(name)}, which is not measured; ` +
        `give ${MEASURE_NAMES}, of one operation like ecdsa-sha256.p99`,
    );
  }
  return { text, measure, comparator, bound: Number(`${sign}${digits}`) / 100 };
}

/**
 * Refuses runs that did not do the same operations, and rules for one that they did not do.
 *
 * @throws KeylessError "USAGE"
 */
export function checkComparable(
  before: MeasuredRun,
  after: MeasuredRun,
  rules: readonly ComparisonRule[],
): void {
  const [names, others] = [namesOf(before), namesOf(after)];
  if (names.length !== others.length || names.some((name) => !others.includes(name))) {
    throw usage(
      `the runs did not do the same operations (${shown(names)}; ${shown(others)}); ` +
        "compare two runs of the same --op",
    );
  }
  for (const { text, measure: { operation } } of rules) {
    if (operation === undefined || names.includes(operation)) continue;
    throw usage(
      `--fail-on ${quoted(text)} is of ${quoted(operation)}, which the runs did not do; ` +
        `they did ${shown(names)}`,
    );
  }
}

/** Every measure that is shown of two runs: of all operations, then of each where there are several. */
export function differencesOf(before: MeasuredRun, after: MeasuredRun): readonly Difference[] {
  const names = namesOf(before);
  const scopes = names.length > 1 ? [undefined, ...names] : [undefined];
  return scopes.flatMap((operation) =>
    SHOWN.map((word) => differenceOf({ ...parseMeasure(word)!, operation }, before, after))
  );
}

/** Which rules are broken, in their order. */
export function judgeChange(
  rules: readonly ComparisonRule[],
  before: MeasuredRun,
  after: MeasuredRun,
): readonly RuleVerdict[] {
  return rules.map((rule) => {
    const difference = differenceOf(rule.measure, before, after);
    const { change } = difference;
    const isBroken = change === undefined ||
      (rule.comparator === ">" ? change > rule.bound : change < rule.bound);
    return { rule, difference, isBroken };
  });
}

const SHOWN = ["rate", "errors", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"] as const;
const RULE = /^\s*([^<>=\s]+)\s*([<>])\s*([+-]?)(\d{1,9}(?:\.\d{1,9})?)%\s*$/;

function differenceOf(measure: Measure, before: MeasuredRun, after: MeasuredRun): Difference {
  const [a, b] = [measureRun(before, measure), measureRun(after, measure)];
  return { measure, before: a, after: b, change: changeOf(measure, a, b) };
}

function changeOf(
  { kind }: Measure,
  before: number | undefined,
  after: number | undefined,
): number | undefined {
  if (before === undefined || after === undefined) return undefined;
  if (UNITS[kind] === "share") return after - before;
  return before === 0 ? undefined : after / before - 1;
}

function namesOf({ result }: MeasuredRun): readonly string[] {
  return result.operations.map(({ name }) => name);
}

function shown(names: readonly string[]): string {
  return printable(names.join(", "));
}

function usage(message: string): KeylessError {
  return new KeylessError("USAGE", message);
}
