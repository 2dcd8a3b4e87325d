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
import { KeylessError } from "../../src/errors/errors.ts";
import { pathReason } from "../../src/errors/system.ts";
import { namePath } from "../../src/keystore/key_failures.ts";

/**
 * Writes a file for node_exporter's textfile collector: whole or not at all, for everybody to read.
 * It is written under another name, which the collector passes over, and renamed; a symbolic link
 * of that name is replaced, what it points to stays.
 *
 * @throws KeylessError "FILE_WRITE"
 */
export function writeTextfile(path: string, text: string): void {
  const making = join(dirname(path), `.keyless-${randomBytes(8).toString("hex")}.tmp`);
  try {
    writeNew(making, text);
    renameSync(making, path);
  } catch (cause) {
    rmSync(making, { force: true });
    const message = `--textfile ${namePath(path)} cannot be written: ${pathReason(path, cause)}`;
    throw new KeylessError("FILE_WRITE", message, { cause });
  }
}

/** What is wrong with such a file's name; printable lines. */
export function textfileFlaws(path: string): string[] {
  if (path.endsWith(".prom")) return [];
  return [`--textfile ${namePath(path)}: node_exporter reads files named *.prom alone`];
}

/** @param path must not exist, not even as a link */
function writeNew(path: string, text: string): void {
  const file = openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
  try {
    writeFileSync(file, text);
    fchmodSync(file, 0o644); // whatever the umask is
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
