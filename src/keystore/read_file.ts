import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { MAX_KEY_FILE_BYTES } from "../crypto/key_errors.ts";
import { KeylessError } from "../errors/errors.ts";
import { pathReason } from "../errors/system.ts";

export interface FileContents {
  /** The caller's; who reads secrets overwrites them. */
  readonly bytes: Uint8Array;
  /** Permission bits of the file itself, also where the path is a link to it. */
  readonly mode: number;
}

/**
 * Reads a regular file, following links. Never waits: FIFOs, sockets and devices are refused before
 * they are opened.
 *
 * @throws KeylessError "FILE_READ" for a file that cannot be read, is not regular, or is larger than
 *   `limitBytes`. Its message is the reason alone, without the path.
 */
export function readRegularFile(path: string, limitBytes = MAX_FILE_BYTES): FileContents {
  let file: number | undefined;
  try {
    checkKind(statSync(path));
    // it may have been swapped since: opening without waiting, and looking again
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = fstatSync(file);
    checkKind(found);
    if (found.size > limitBytes) {
      throw unreadable(`is too large: ${found.size} bytes, at most ${limitBytes} are read`);
    }
    return { bytes: readAll(file, found.size), mode: found.mode & 0o777 };
  } catch (thrown) {
    if (thrown instanceof KeylessError) throw thrown;
    throw unreadable(`cannot be read: ${pathReason(path, thrown)}`, thrown);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** What to say of a file with secrets that others than its owner may use; undefined of another. */
export function openToOthers({ mode }: Pick<FileContents, "mode">): string | undefined {
  if ((mode & 0o077) === 0) return undefined;
  return `is open to others (mode 0${mode.toString(8)}); chmod 600 it`;
}

/** What stands there instead of a regular file: "a FIFO, not a regular file"; undefined of one. */
export function irregularKind(found: Stats): string | undefined {
  if (found.isFile()) return undefined;
  if (found.isDirectory()) return "a directory, not a file";
  if (found.isSymbolicLink()) return "a symbolic link, not a regular file";
  if (found.isFIFO()) return "a FIFO, not a regular file";
  if (found.isSocket()) return "a socket, not a regular file";
  return "a device, not a regular file";
}

/** What a key file may have, certificates as well: all public authorities are a fifth of it. */
export const MAX_FILE_BYTES = MAX_KEY_FILE_BYTES;

function checkKind(found: Stats): void {
  const kind = irregularKind(found);
  if (kind !== undefined) throw unreadable(`is ${kind}`);
}

function readAll(file: number, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  while (at < sizeBytes) {
    const count = readSync(file, bytes, at, sizeBytes - at, null);
    if (count === 0) throw unreadable("was cut short while it was being read");
    at += count;
  }
  return bytes;
}

function unreadable(why: string, cause?: unknown): KeylessError {
  return new KeylessError("FILE_READ", why, { cause });
}
