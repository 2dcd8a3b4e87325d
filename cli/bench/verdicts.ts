import { changeText, quantityText } from "./quantities.ts";
import type { RuleVerdict } from "../../src/bench/compare.ts";
import { UNITS } from "../../src/bench/measure.ts";
import type { Verdict } from "../../src/bench/threshold.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { printable } from "../../src/errors/printable.ts";

/** "p99<5ms: 7.12 ms". */
export function verdictText({ threshold: { text, measure }, measured }: Verdict): string {
  const value = measured === undefined ? NOTHING : quantityText(measured, UNITS[measure.kind]);
  return `${printable(text)}: ${value}`;
}

/** The error of those that do not hold, each named with what was measured; undefined of none. */
export function thresholdError(verdicts: readonly Verdict[]): KeylessError | undefined {
  const broken = verdicts.filter(({ holds }) => !holds).map(verdictText);
  return failure("threshold", broken, verdicts.length);
}

/** The error of the rules that are broken, each named with its change; undefined of none. */
export function ruleError(verdicts: readonly RuleVerdict[]): KeylessError | undefined {
  const broken = verdicts.filter(({ isBroken }) => isBroken).map(ruleText);
  return failure("rule", broken, verdicts.length);
}

/** "p99>+10%: +42 %, from 5 ms to 7.1 ms". */
export function ruleText({ rule: { text, measure }, difference }: RuleVerdict): string {
  const unit = UNITS[measure.kind];
  const { before, after, change } = difference;
  const values = `from ${quantityText(before, unit)} to ${quantityText(after, unit)}`;
  const told = change === undefined ? "cannot be told" : changeText(change, unit);
  return `${printable(text)}: ${told}, ${values}`;
}

const NOTHING = "nothing was measured";

function failure(what: string, broken: readonly string[], count: number): KeylessError | undefined {
  if (broken.length === 0) return undefined;
  const whole = `${broken.length} of ${count} ${count === 1 ? what : `${what}s`} broken`;
  return new KeylessError("CHECK_FAILED", [whole, ...broken].join("\n  "));
}
