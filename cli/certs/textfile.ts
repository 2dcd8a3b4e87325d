import { lstatSync } from "node:fs";
import { KeylessError } from "../../src/errors/errors.ts";
import { pathReason } from "../../src/errors/system.ts";
import { namePath } from "../../src/keystore/key_failures.ts";
import { irregularKind } from "../../src/keystore/read_file.ts";
import { replaceFile } from "../replace_file.ts";

/**
 * Writes a file for node_exporter's textfile collector: whole or not at all, for everybody to read.
 * It is written under another name, which the collector passes over, and renamed: it replaces a
 * regular file or nothing. Links are refused too, for /dev/stdout is one, and so might be what
 * another user has put there.
 *
 * @throws KeylessError "FILE_WRITE"
 */
export function writeTextfile(path: string, text: string): void {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    const kind = found && irregularKind(found);
    if (kind !== undefined) throw unwritable(path, `it is ${kind}; give a file's name`);
    replaceFile(path, text, 0o644);
  } catch (thrown) {
    if (thrown instanceof KeylessError) throw thrown;
    throw unwritable(path, pathReason(path, thrown), thrown);
  }
}

/** What is wrong with such a file's name; printable lines. */
export function textfileFlaws(path: string): string[] {
  if (path.endsWith(".prom")) return [];
  return [`--textfile ${namePath(path)}: node_exporter reads files named *.prom alone`];
}

function unwritable(path: string, why: string, cause?: unknown): KeylessError {
  const message = `--textfile ${namePath(path)} cannot be written: ${why}`;
  return new KeylessError("FILE_WRITE", message, { cause });
}
