import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { KeylessError } from "../src/errors/errors.ts";
import { systemCode, systemReason } from "../src/errors/system.ts";
import { printable } from "../src/errors/printable.ts";

/**
 * Whether the process id can be written there, as far as that can be told without writing.
 *
 * @throws KeylessError "PID_FILE" for a file that holds anything but a process id, which is somebody's
 *   and not ours to overwrite; for a symbolic link; for a directory that cannot be written
 */
export function checkPidFile(path: string): void {
  try {
    const content = readStart(path);
    if (content === undefined) accessSync(dirname(path), constants.W_OK);
    else if (!/^\s*\d*\s*$/.test(content)) {
      throw new Error("it holds something else than a process id");
    }
  } catch (cause) {
    throw refusal(path, cause);
  }
}

/**
 * Writes this process's id to a file, over what an earlier run left there.
 *
 * @returns removes the file, if it is still ours
 * @throws KeylessError "PID_FILE"
 */
export function writePidFile(path: string): () => void {
  checkPidFile(path);
  try {
    const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;
    const file = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o644);
    writeSync(file, `${process.pid}\n`);
    closeSync(file);
  } catch (cause) {
    throw refusal(path, cause);
  }
  return () => removeOwn(path);
}

/** The content of the file, undefined where there is none; a link is not followed. */
function readStart(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    if (systemCode(error) === "ELOOP") throw new Error("it is a symbolic link");
    throw error;
  }
  try {
    if (!fstatSync(file).isFile()) throw new Error("it is no regular file");
    const start = new Uint8Array(MAX_PID_BYTES);
    return new TextDecoder().decode(start.subarray(0, readSync(file, start)));
  } finally {
    closeSync(file);
  }
}

function removeOwn(path: string): void {
  try {
    if (readFileSync(path, "utf8").trim() === String(process.pid)) unlinkSync(path);
  } catch {
    // somebody else has removed it
  }
}

function refusal(path: string, cause: unknown): KeylessError {
  const why = `pid_file ${printable(path)} cannot be written: ${systemReason(cause)}`;
  return new KeylessError("PID_FILE", `${why}; name a file in a directory of this user`, { cause });
}

/** More than any process id and a line feed have. */
const MAX_PID_BYTES = 32;
