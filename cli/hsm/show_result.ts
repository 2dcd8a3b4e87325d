import process from "node:process";
import type { KeylessError } from "../../src/errors/errors.ts";
import { problemsOf } from "../failures.ts";
import { printDocument, printText, printWarning, reportError } from "../output.ts";

/** What a command has found, and what failed beside it. */
export interface Result {
  /** The command's own fields of its JSON document. */
  readonly fields: () => object;
  /** For people; printable. Nothing is printed where it is empty. */
  readonly text: () => string;
  readonly warnings: readonly string[];
  readonly failures: readonly KeylessError[];
}

/** Shows a result as the flags want it, and sets the exit code of what failed. */
export function showResult(
  command: string,
  { json, debug = false }: { readonly json?: boolean; readonly debug?: boolean },
  { fields, text, warnings, failures }: Result,
): void {
  if (json) printDocument(fields(), warnings, failures.flatMap(problemsOf));
  else {
    for (const warning of warnings) printWarning(command, warning);
    const shown = text();
    if (shown !== "") printText(shown);
    for (const error of failures) reportError(error, { command, debug });
  }
  for (const { exitCode } of failures) process.exitCode = exitCode;
}
