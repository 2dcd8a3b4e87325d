import { ConfigError } from "../src/config/problem.ts";
import { KeylessError } from "../src/errors/errors.ts";
import { type KeyFailure, KeyFilesError } from "../src/keystore/key_failures.ts";
import type { JsonProblem } from "./output.ts";

/** Several things that stand in the way, told at once; the code is that of the first. */
export class FailuresError extends KeylessError {
  /** At least two, none of them a FailuresError. */
  readonly failures: readonly KeylessError[];

  constructor(failures: readonly [KeylessError, ...KeylessError[]]) {
    const lines = failures.flatMap(({ message }) => message.split("\n"));
    const text = [`${failures.length} things stand in the way:`, ...lines].join("\n  ");
    super(failures[0].code, text, { cause: failures[0] });
    this.failures = failures;
  }
}

/**
 * Runs a step of several that do not need one another, so that all that is wrong is told at once.
 *
 * @param failures takes what the step fails with
 * @returns undefined where it failed
 */
export async function attempt<T>(
  failures: KeylessError[],
  step: () => T | Promise<T>,
): Promise<T | undefined> {
  try {
    return await step();
  } catch (thrown) {
    if (!(thrown instanceof KeylessError)) throw thrown;
    failures.push(...(thrown instanceof FailuresError ? thrown.failures : [thrown]));
    return undefined;
  }
}

/** The one failure, or a FailuresError with all of them. */
export function together(failures: readonly KeylessError[]): Error {
  const [first, ...others] = failures;
  if (first === undefined) return new Error("nothing failed");
  return others.length === 0 ? first : new FailuresError([first, ...others]);
}

/** One row for each thing that is wrong, for programs: no file of many is left out. */
export function problemsOf(error: KeylessError): readonly JsonProblem[] {
  if (error instanceof ConfigError) return error.problems;
  if (error instanceof FailuresError) return error.failures.flatMap(problemsOf);
  if (error instanceof KeyFilesError) return error.failures.map(keyProblem);
  return [{ code: error.code, message: error.message }];
}

/** The same for a key file. */
export function keyProblem({ path, error: { code, message } }: KeyFailure): JsonProblem {
  return { code, file: path, message };
}
