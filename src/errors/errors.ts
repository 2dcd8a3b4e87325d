import { type ErrorCode, ERRORS, type ExitCode } from "./table.ts";

/**
 * An error with a stable code of the table. The message says what was asked, what stood in the way,
 * and what to do next; it never holds a secret.
 */
export class KeylessError extends Error {
  override readonly name: string = "KeylessError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** The exit code of a command that ends with this error. */
  get exitCode(): ExitCode {
    return ERRORS[this.code].exit;
  }
}

/** Bytes that are not what the protocol says. The connection that they came on can live on. */
export class FormatError extends KeylessError {
  override readonly name = "FormatError";
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
