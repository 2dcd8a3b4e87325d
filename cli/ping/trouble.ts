import { KeylessError } from "../../src/errors/errors.ts";
import { BETWEEN_REQUESTS, type TargetResult } from "./check_target.ts";
import type { Hint } from "./hints.ts";
import type { PingPlan } from "./plan.ts";
import { targetText } from "./report.ts";

export interface TroubleOptions {
  /** Enough other targets are healthy: what went wrong is a warning. */
  readonly isTolerated: boolean;
  readonly isInterrupted: boolean;
}

/** What went wrong, once for each kind and target, and what to do. */
export interface Trouble {
  readonly errors: readonly KeylessError[];
  readonly warnings: readonly string[];
}

/** @returns errors with their hints; warnings may have several lines */
export function findTrouble(
  { targets, subject }: PingPlan,
  results: readonly TargetResult[],
  hints: readonly (Hint | undefined)[],
  { isTolerated, isInterrupted }: TroubleOptions,
): Trouble {
  const errors = results.flatMap(({ failures }, at) => {
    return [...failures.values()].map(({ error }) => withHint(error, hints[at]));
  });
  const warnings = isTolerated ? errors.map(({ message }) => message) : [];
  for (const [at, { interrupted = BETWEEN_REQUESTS }] of results.entries()) {
    if (!isInterrupted || interrupted === BETWEEN_REQUESTS) continue;
    warnings.push(`${targetText(targets[at]!)}: interrupted ${interrupted}`);
  }
  if (subject.verifies === false && results.some(({ timesMs }) => timesMs.length > 0)) {
    warnings.push("signatures were received, but not verified: give --public FILE");
  }
  return { errors: isTolerated ? [] : errors, warnings };
}

function withHint(error: KeylessError, hint: Hint | undefined): KeylessError {
  if (hint?.error !== error) return error;
  return new KeylessError(error.code, `${error.message}\n  ${hint.text}`, { cause: error });
}
