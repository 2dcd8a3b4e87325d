import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { KeylessError } from "../errors/errors.ts";
import { pathReason, systemCode } from "../errors/system.ts";
import { printable } from "../errors/printable.ts";

export interface ConfigFile {
  /** As it was asked for. */
  readonly path: string;
  readonly text: string;
}

/**
 * Reads the configuration file that was named, else the first of the search path that exists.
 *
 * @returns undefined where none was named and none exists
 * @throws KeylessError "CONFIG_FILE" for one that cannot be read, is too large, or is not UTF-8
 */
export function readConfigFile(
  named: string | undefined,
  searched: readonly string[] = SEARCH_PATH,
): ConfigFile | undefined {
  if (named !== undefined) return { path: named, text: readText(named) };
  for (const path of searched) {
    try {
      return { path, text: readText(path) };
    } catch (error) {
      if (systemCode((error as Error).cause) !== "ENOENT") throw error;
    }
  }
  return undefined;
}

/** Where gokeyless looks as well. */
export const SEARCH_PATH = ["gokeyless.yaml", "/etc/keyless/gokeyless.yaml"] as const;

export const MAX_FILE_BYTES = 1_048_576;

function readText(path: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readAtMost(path, MAX_FILE_BYTES + 1);
  } catch (cause) {
    if (cause instanceof KeylessError) throw cause;
    throw refuse(path, `cannot be read: ${pathReason(path, cause)}`, cause);
  }
  if (bytes.length > MAX_FILE_BYTES) {
    throw refuse(path, `is larger than ${MAX_FILE_BYTES} bytes; is it the right file?`);
  }
  return decode(path, bytes);
}

/** Reads what may be a pipe or a device without an end. */
function readAtMost(path: string, maxBytes: number): Uint8Array {
  const file = openSync(path, "r");
  try {
    if (fstatSync(file).isDirectory()) {
      throw refuse(path, "is a directory; name the file in it");
    }
    const bytes = new Uint8Array(maxBytes);
    let length = 0;
    while (length < maxBytes) {
      const count = readSync(file, bytes, length, maxBytes - length, null);
      if (count === 0) break;
      length += count;
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw refuse(
      `${path}:${lineNotUtf8(bytes)}:1`,
      "this line is not UTF-8; save the file as UTF-8",
    );
  }
}

/** No character of several bytes holds a line feed, so each line can be tried by itself. */
function lineNotUtf8(bytes: Uint8Array): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const feed = bytes.indexOf(0x0a, start);
    const end = feed < 0 ? bytes.length : feed;
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(start, end));
    } catch {
      return line;
    }
    start = end + 1;
  }
  return line;
}

function refuse(place: string, message: string, cause?: unknown): KeylessError {
  const separator = /:\d+:1$/.test(place) ? ": " : " ";
  return new KeylessError(
    "CONFIG_FILE",
    `configuration file ${printable(place) || '""'}${separator}${message}`,
    { cause },
  );
}
