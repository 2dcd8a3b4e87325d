import { KeylessError, messageOf } from "../errors/errors.ts";

/** A key file, or a directory of them, that could not be used. */
export interface KeyFailure {
  /** As it was named, or as it was found below a directory that was named. */
  readonly path: string;
  /** Names the path and the reason. */
  readonly error: KeylessError;
}

/** What stood in the way of a path, with the code of its cause. */
export function keyFailure(path: string, cause: unknown): KeyFailure {
  const code = cause instanceof KeylessError ? cause.code : "INTERNAL";
  return {
    path,
    error: new KeylessError(code, `${namePath(path)}: ${messageOf(cause)}`, { cause }),
  };
}

/** A path for a message: what could end a line in it is escaped. */
export function namePath(path: string): string {
  return JSON.stringify(path).slice(1, -1);
}

/** All key files that could not be used, in one error; the code is that of the first. */
export class KeyFilesError extends KeylessError {
  readonly failures: readonly KeyFailure[];

  /** @param failures at least one, of `total` key files */
  constructor(failures: readonly KeyFailure[], total: number) {
    super(failures[0]?.error.code ?? "INTERNAL", describe(failures, total));
    this.failures = failures;
  }
}

function describe(failures: readonly KeyFailure[], total: number): string {
  const shown = failures.slice(0, MAX_SHOWN).map(({ error }) => `  ${error.message}`);
  const rest = failures.length - shown.length;
  if (rest > 0) shown.push(`  and ${rest} more`);
  return [
    `${failures.length} of ${total} key files cannot be used:`,
    ...shown,
    "mend them or take them away, or serve the others with --keep-going",
  ].join("\n");
}

const MAX_SHOWN = 10;
