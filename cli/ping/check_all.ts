import { EXIT, type ExitCode } from "../../src/errors/table.ts";
import {
  type CheckOptions,
  checkTarget,
  emptyResult,
  exitCodeOf,
  isHealthy,
  pause,
  type Target,
  type TargetResult,
} from "./check_target.ts";

export interface CheckAllOptions extends CheckOptions {
  /** So many targets must be healthy. */
  readonly minHealthy: number;
  /** How long to try again until they are; 0 checks once. */
  readonly waitMs: number;
  /** Told, once for each reason, why a target is waited for. */
  readonly onWait?: ((target: Target, result: TargetResult) => void) | undefined;
}

/**
 * Checks all targets at once. With `waitMs` each one is tried until it answers rightly once, and
 * checked then; as soon as enough targets are healthy, the others are no longer waited for.
 *
 * @returns the results, in the order of the targets
 */
export async function checkAll(
  targets: readonly Target[],
  options: CheckAllOptions,
): Promise<TargetResult[]> {
  const enough = new AbortController();
  const waitSignal = AbortSignal.any([enough.signal, options.signal]);
  let healthy = 0;
  return await Promise.all(targets.map(async (target) => {
    const awaited = options.waitMs > 0
      ? await waitForAnswer(target, { ...options, waitSignal })
      : undefined;
    const result = awaited ?? await checkTarget(target, options);
    if (isHealthy(result) && ++healthy >= options.minHealthy) enough.abort();
    return result;
  }));
}

/** Enough healthy targets give 0, else the highest code of all targets counts. */
export function exitCodeOfAll(results: readonly TargetResult[], minHealthy: number): ExitCode {
  if (results.filter(isHealthy).length >= minHealthy) return EXIT.OK;
  return results.map(exitCodeOf).reduce((a, b) => a > b ? a : b, EXIT.CHECK_FAILED);
}

/**
 * Undefined as soon as the target answers rightly; where it never does, the last result that had its
 * full time, if there is one.
 */
async function waitForAnswer(
  target: Target,
  options: CheckAllOptions & { readonly waitSignal: AbortSignal },
): Promise<TargetResult | undefined> {
  const endMs = performance.now() + options.waitMs;
  let delayMs = FIRST_DELAY_MS;
  let last = emptyResult();
  for (;;) {
    const startMs = performance.now();
    const leftMs = Math.ceil(Math.max(MIN_ATTEMPT_MS, endMs - startMs));
    const timeoutMs = Math.min(options.timeoutMs, leftMs);
    const result = await checkTarget(target, {
      ...options,
      count: 1,
      timeoutMs,
      signal: options.waitSignal,
      observer: undefined,
    });
    if (isHealthy(result)) return undefined;
    const isKnown = last.failures.size > 0;
    if (options.waitSignal.aborted) {
      return isKnown ? { ...last, interrupted: result.interrupted } : result;
    }
    const nowMs = performance.now();
    // an attempt that was cut short says nothing of the server
    const isCut = timeoutMs < options.timeoutMs && nowMs - startMs >= timeoutMs;
    if (nowMs >= endMs) return isCut && isKnown ? last : result;
    if (reasonsOf(result) !== reasonsOf(last)) options.onWait?.(target, result);
    last = result;
    await pause(Math.min(delayMs, endMs - performance.now()), options.waitSignal);
    delayMs = Math.min(delayMs * 2, MAX_DELAY_MS);
  }
}

function reasonsOf({ failures }: TargetResult): string {
  return [...failures.keys()].join();
}

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5_000;
/** What the last attempt gets when the time is over. */
const MIN_ATTEMPT_MS = 100;
