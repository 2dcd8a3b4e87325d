import { KeylessError } from "../errors/errors.ts";
import type { ErrorCode } from "../errors/table.ts";
import type { SettingKey } from "./settings.ts";

/** One thing that is wrong with the configuration. */
export interface Problem {
  readonly code: ErrorCode;
  /** The setting that it is about, where that is known. */
  readonly key?: SettingKey;
  /** Where: "gokeyless.yaml:3:7", "environment KEYLESS_PORT" or "flag --port"; printable. */
  readonly place: string;
  /** What stands there, what is accepted, what to do; printable, and without secrets. */
  readonly message: string;
}

/** Everything that is wrong with the configuration, at once. Its code is the first problem's. */
export class ConfigError extends KeylessError {
  override readonly name = "ConfigError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly [Problem, ...Problem[]]) {
    super(problems[0].code, describe(problems));
    this.problems = problems;
  }
}

/** @throws ConfigError where there is a problem at all */
export function throwProblems(problems: readonly Problem[]): void {
  const [first, ...others] = problems;
  if (first !== undefined) throw new ConfigError([first, ...others]);
}

/** `PLACE: MESSAGE`. */
export function problemLine(problem: Problem): string {
  return `${problem.place}: ${problem.message}`;
}

function describe(problems: readonly Problem[]): string {
  const lines = problems.slice(0, MAX_LINES).map(problemLine);
  if (problems.length === 1) return lines.join();
  const left = problems.length - lines.length;
  if (left > 0) lines.push(`and ${left} more`);
  return [`${problems.length} problems in the configuration:`, ...lines].join("\n  ");
}

const MAX_LINES = 20;
