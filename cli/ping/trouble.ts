import { KeylessError } from "../../src/errors/errors.ts";
import { printWarning, reportError } from "../output.ts";
import type { Target, TargetResult } from "./check_target.ts";
import type { Hint } from "./hints.ts";
import type { PingPlan } from "./plan.ts";
import { targetText } from "./report.ts";

export interface TroubleOptions {
  /** Enough other targets are healthy: what went wrong is a warning. */
  readonly isTolerated: boolean;
  readonly isInterrupted: boolean;
  readonly debug: boolean;
}

/** What went wrong, once for each kind and target, and what to do: on stderr, as errors are. */
export function reportTrouble(
  { targets, subject }: PingPlan,
  results: readonly TargetResult[],
  hints: readonly (Hint | undefined)[],
  options: TroubleOptions,
): void {
  for (const [at, target] of targets.entries()) {
    reportTarget(target, results[at]!, hints[at], options);
  }
  if (subject.verifies === false && results.some(({ timesMs }) => timesMs.length > 0)) {
    printWarning("ping", "signatures were received, but not verified: give --public FILE");
  }
}

function reportTarget(
  target: Target,
  { failures, interrupted }: TargetResult,
  hint: Hint | undefined,
  { isTolerated, isInterrupted, debug }: TroubleOptions,
): void {
  for (const { error } of failures.values()) {
    const explained = hint?.error === error ? withHint(hint) : error;
    if (isTolerated) printWarning("ping", explained.message);
    else reportError(explained, { command: "ping", debug });
  }
  if (isInterrupted && interrupted !== undefined) {
    printWarning("ping", `${targetText(target)}: interrupted ${interrupted}`);
  }
}

function withHint({ error, text }: Hint): KeylessError {
  return new KeylessError(error.code, `${error.message}\n  ${text}`, { cause: error });
}
