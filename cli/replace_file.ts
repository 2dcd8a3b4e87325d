import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/**
 * Writes a file whole or not at all: under another name beside it, `.keyless-….tmp`, which is then
 * renamed. What stood there before stays as it was where the disk is full, say.
 *
 * @param path what stands there is replaced, be it a link: who wants it followed resolves it before
 * @param mode its permission bits, whatever the umask is; undefined: what the umask leaves of 0666
 * @throws what the system says
 */
export function replaceFile(path: string, text: string, mode: number | undefined): void {
  const making = join(dirname(path), `.keyless-${randomBytes(8).toString("hex")}.tmp`);
  try {
    writeNew(making, text, mode);
    renameSync(making, path);
  } catch (thrown) {
    discard(making);
    throw thrown;
  }
}

/** @param path must not exist, not even as a link */
function writeNew(path: string, text: string, mode: number | undefined): void {
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
  const file = openSync(path, flags, mode ?? 0o666);
  try {
    writeFileSync(file, text);
    if (mode !== undefined) fchmodSync(file, mode);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** What stood in its way stood in that of the writing too, which is told. */
function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // where no file can be made, none can be removed
  }
}
