import { KeylessError, messageOf } from "../errors/errors.ts";
import { printable } from "../errors/printable.ts";

/** A key file, or a directory of them, that could not be used. */
export interface KeyFailure {
  /** As it was named, or as it was found below a directory that was named. */
  readonly path: string;
  readonly kind: "file" | "directory";
  /** Names the path and the reason. */
  readonly error: KeylessError;
}

/** What stood in the way of a path, with the code of its cause. */
export function keyFailure(
  path: string,
  cause: unknown,
  kind: KeyFailure["kind"] = "file",
): KeyFailure {
  const code = cause instanceof KeylessError ? cause.code : "INTERNAL";
  return {
    path,
    kind,
    error: new KeylessError(code, `${namePath(path)}: ${messageOf(cause)}`, { cause }),
  };
}

/** A path for a message: printable, and to be seen also where it is empty. */
export function namePath(path: string): string {
  return printable(path) || '""';
}

/** All key files that could not be used, in one error; the code is that of the first. */
export class KeyFilesError extends KeylessError {
  readonly failures: readonly KeyFailure[];
  readonly total: number;

  /** @param failures at least one, of `total` key files and directories that cannot be listed */
  constructor(failures: readonly KeyFailure[], total: number) {
    super(failures[0]?.error.code ?? "INTERNAL", describe(failures, total));
    this.failures = failures;
    this.total = total;
  }
}

function describe(failures: readonly KeyFailure[], total: number): string {
  const shown = failures.slice(0, MAX_SHOWN).map(({ error }) => `  ${error.message}`);
  const rest = failures.length - shown.length;
  if (rest > 0) shown.push(`  and ${rest} more`);
  const hasDirectory = failures.some(({ kind }) => kind === "directory");
  const what = hasDirectory ? "key files and directories of private_key_stores" : "key files";
  return [
    `${failures.length} of ${total} ${what} cannot be used:`,
    ...shown,
    "mend them or take them away, or serve the others with --keep-going",
  ].join("\n");
}

const MAX_SHOWN = 10;
