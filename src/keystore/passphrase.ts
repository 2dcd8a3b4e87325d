import { Buffer } from "node:buffer";
import { KeylessError } from "../errors/errors.ts";
import type { ErrorCode } from "../errors/table.ts";
import { namePath } from "./key_failures.ts";
import { type FileContents, openToOthers, readRegularFile } from "./read_file.ts";

/**
 * The passphrase of encrypted keys, from a file.
 *
 * @param onWarning told of a file that others may read; the message names it
 * @returns the caller's, to be overwritten after use
 * @throws KeylessError "FILE_READ" where the file cannot be read, "KEY_PASSPHRASE" where its first
 *   line is empty
 */
export function readPassphraseFile(
  path: string,
  onWarning?: (message: string) => void,
): Uint8Array {
  return readSecretLine(path, { name: "passphrase file", emptyCode: "KEY_PASSPHRASE" }, onWarning);
}

/** What a file with a secret is called, and the code of the error where it holds none. */
export interface SecretFile {
  readonly name: string;
  readonly emptyCode: ErrorCode;
}

/**
 * The secret in a file: its first line, without its end.
 *
 * @param onWarning told of a file that others may read; the message names it
 * @returns the caller's, to be overwritten after use
 * @throws KeylessError "FILE_READ" where the file cannot be read; `emptyCode`
 */
export function readSecretLine(
  path: string,
  { name, emptyCode }: SecretFile,
  onWarning?: (message: string) => void,
): Uint8Array {
  const what = `the ${name} ${namePath(path)}`;
  const file = readFile(path, what);
  const { bytes } = file;
  const warning = openToOthers(file);
  if (warning !== undefined) onWarning?.(`${what} ${warning}`);
  try {
    const line = Buffer.from(bytes.buffer, bytes.byteOffset, firstLineLength(bytes));
    if (line.length > 0) return new Uint8Array(line);
  } finally {
    bytes.fill(0);
  }
  throw new KeylessError(emptyCode, `${what} begins with an empty line; the first line counts`);
}

function readFile(path: string, what: string): FileContents {
  try {
    return readRegularFile(path, MAX_FILE_BYTES);
  } catch (cause) {
    if (!(cause instanceof KeylessError)) throw cause;
    throw new KeylessError(cause.code, `${what} ${cause.message}`, { cause });
  }
}

function firstLineLength(bytes: Uint8Array): number {
  const lineFeed = bytes.indexOf(0x0a);
  const end = lineFeed < 0 ? bytes.length : lineFeed;
  return bytes[end - 1] === 0x0d ? end - 1 : end;
}

const MAX_FILE_BYTES = 4_096;
