import { closeSync, constants, openSync, readFileSync, unlinkSync, writeSync } from "node:fs";
import process from "node:process";
import { KeylessError } from "../src/errors/errors.ts";
import { systemReason } from "../src/errors/system.ts";
import { printable } from "../src/telemetry/printable.ts";

/**
 * Writes this process's id to a file, over what an earlier run left there. A symbolic link is not
 * followed: the directory may be one that others can write.
 *
 * @returns removes the file, if it is still ours
 * @throws KeylessError "PID_FILE"
 */
export function writePidFile(path: string): () => void {
  const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;
  try {
    const file = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o644);
    writeSync(file, `${process.pid}\n`);
    closeSync(file);
  } catch (cause) {
    const why = `pid_file ${printable(path)} cannot be written: ${systemReason(cause)}`;
    throw new KeylessError("PID_FILE", `${why}; name a file in a directory of this user`, {
      cause,
    });
  }
  return () => removeOwn(path);
}

function removeOwn(path: string): void {
  try {
    if (readFileSync(path, "utf8").trim() === String(process.pid)) unlinkSync(path);
  } catch {
    // somebody else has removed it
  }
}
