import process from "node:process";
import { styleText } from "node:util";
import { CommanderError } from "@commander-js/extra-typings";
import { KeylessError, messageOf } from "../src/errors/errors.ts";
import { printable, UNSAFE_CHARACTERS } from "../src/errors/printable.ts";
import { systemReason } from "../src/errors/system.ts";
import { type ErrorCode, ERRORS, EXIT, type ExitCode } from "../src/errors/table.ts";

/**
 * What commands show: results on stdout, everything else on stderr. A command sets
 * `process.exitCode` and returns; nothing ends the process before all is written, so that piped
 * output is never cut.
 */

/** Writes lines of text to stdout. Text from outside has gone through `printable` before. */
export function printText(text: string): void {
  writeOut(`${text}\n`);
}

/** Something that failed, as a program reads it. */
export interface JsonProblem {
  readonly code: ErrorCode;
  readonly message: string;
  /** The file that it is about, as it was named. */
  readonly file?: string;
}

/**
 * Writes the one JSON document of a command to stdout. All commands have the same frame: `version`,
 * `warnings`, one line each, and `problems`, what failed; between them the command's own fields.
 */
export function printDocument(
  fields: object,
  warnings: readonly string[],
  problems: readonly JsonProblem[] = [],
): void {
  writeOut(documentText(fields, warnings, problems));
}

/** The same, for a file. */
export function documentText(
  fields: object,
  warnings: readonly string[],
  problems: readonly JsonProblem[],
): string {
  return `${formatJson({ version: JSON_VERSION, ...fields, warnings, problems })}\n`;
}

/** It changes when a field of any document changes its meaning or goes. */
const JSON_VERSION = 1;

/**
 * Writes to stdout, as it is.
 *
 * @throws KeylessError "OUTPUT" on Deno where stdout is a file that takes no more; Bun emits the
 *   event "error"
 */
export function writeOut(text: string): void {
  try {
    process.stdout.write(text);
  } catch (cause) {
    throw outputError(cause);
  }
}

/**
 * Ends the process once all is written, with its exit code: what still runs, a name look-up that
 * nobody waits for any more, say, would hold it.
 */
export function endWhenWritten(): void {
  process.stdout.write("", () => process.stderr.write("", () => process.exit()));
}

/** Writes a warning to stderr: `keyless COMMAND: warning: MESSAGE`. */
export function printWarning(command: string, message: string): void {
  process.stderr.write(`${prefix(command)}: warning: ${printableLines(message)}\n`);
}

/**
 * Columns without borders under a line of headings; cells are made printable here. Ends without a
 * line feed; no rows give the headings alone.
 */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const lines = [headings, ...rows.map((row) => row.map((cell) => printable(cell)))];
  const widths = headings.map((_, column) =>
    lines.reduce((widest, cells) => Math.max(widest, cells[column]?.length ?? 0), 0)
  );
  return lines.map((cells) => {
    const padded = cells.map((cell, column) => cell.padEnd(widths[column] ?? 0));
    return padded.join("  ").trimEnd();
  }).join("\n");
}

/** The error for a stdout that takes no more, though somebody is there to read. */
export function outputError(cause: unknown): KeylessError {
  const message = `the output cannot be written: ${systemReason(cause)}`;
  return new KeylessError("OUTPUT", message, { cause });
}

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** The text in a style where stdout is a terminal that wants colour, else the text alone. */
export function paint(style: Style, text: string): string {
  return wantsColour(process.stdout) ? styleText(style, text, { validateStream: false }) : text;
}

/** Colour goes to terminals only, and to none whose user says NO_COLOR (no-color.org). */
export function wantsColour(
  stream: { readonly isTTY?: boolean | undefined },
  env: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  return stream.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb";
}

export interface ReportOptions {
  /** The command's words after `keyless`: "keys list"; empty for the program itself. */
  readonly command: string;
  /** Show where the error was thrown. */
  readonly debug: boolean;
  /** Write the error as JSON, with its code. */
  readonly json?: boolean;
}

/**
 * Writes to stderr what ended a command: `keyless COMMAND: MESSAGE`. A message may have several
 * lines; each is made printable by itself.
 *
 * @returns the exit code that the error stands for
 */
export function reportError(thrown: unknown, options: ReportOptions): ExitCode {
  const { code, message, exit } = describeError(thrown, options.command);
  if (message === undefined) return exit;
  const text = options.json
    ? formatJson({ error: { code, message } })
    : `${prefix(options.command)}: ${printableLines(message)}`;
  process.stderr.write(`${text}\n`);
  if (options.debug) process.stderr.write(`${printableLines(stackOf(thrown))}\n`);
  return exit;
}

/** JSON text in which nothing can move a cursor or turn text around; still the same JSON. */
export function formatJson(value: unknown): string {
  const lines = JSON.stringify(value, null, 2).split("\n");
  return lines.map((line) => line.replace(UNSAFE_CHARACTERS, escapeForJson)).join("\n");
}

function escapeForJson(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

interface Description {
  readonly code: ErrorCode;
  /** Undefined where everything has been said already. */
  readonly message: string | undefined;
  readonly exit: ExitCode;
}

function describeError(thrown: unknown, command: string): Description {
  if (thrown instanceof KeylessError && thrown.code !== "INTERNAL") {
    return { code: thrown.code, message: thrown.message, exit: thrown.exitCode };
  }
  if (thrown instanceof CommanderError) return describeUsageError(thrown, command);
  const message = `internal error: ${messageOf(thrown).replaceAll("\n", " ")} ` +
    "(a defect of this program: please report it, with what the same command prints with --debug)";
  return { code: "INTERNAL", message, exit: ERRORS.INTERNAL.exit };
}

function describeUsageError(error: CommanderError, command: string): Description {
  if (error.exitCode === 0) return { code: "USAGE", message: undefined, exit: EXIT.OK };
  // a command without its subcommand: its help has been shown, which says it all
  if (error.code === "commander.help") {
    return { code: "USAGE", message: undefined, exit: EXIT.USAGE };
  }
  const hint = `see ${prefix(command)} --help`;
  const [, said = "", suggestion = ""] = USAGE_MESSAGE.exec(error.message) ?? [];
  const message = `${printable(said, MAX_LINE_LENGTH)}${suggestion}\n${hint}`;
  return { code: "USAGE", message, exit: EXIT.USAGE };
}

function stackOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return messageOf(thrown);
  const own = thrown.stack ?? thrown.message;
  const code = thrown instanceof KeylessError ? `code ${thrown.code}\n` : "";
  return `${code}${own}${thrown.cause === undefined ? "" : `\ncaused by ${stackOf(thrown.cause)}`}`;
}

function prefix(command: string): string {
  return command === "" ? "keyless" : `keyless ${command}`;
}

/** Line feeds are ours: names from outside were escaped when they were put into the message. */
function printableLines(text: string): string {
  return text.split("\n").map((line) => printable(line, MAX_LINE_LENGTH)).join("\n");
}

const MAX_LINE_LENGTH = 4_096;

/** What commander says, which quotes words as they were typed, and its suggestion in a second line. */
const USAGE_MESSAGE = /^(?:error: )?([^]*?)(\n\(Did you mean [^\n]*\?\))?$/;
