import { type Dirent, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { KeylessError } from "../errors/errors.ts";
import { pathReason } from "../errors/system.ts";
import { type KeyFailure, keyFailure } from "./key_failures.ts";

/** Where keys come from: a directory, looked through to its depth, or one file of any name. */
export type KeySource = { readonly dir: string } | { readonly file: string };

export interface KeyFileList {
  /** Each once, in the order of the sources; a directory by name, its own files first. */
  readonly paths: readonly string[];
  /** Directories that cannot be listed. */
  readonly failures: readonly KeyFailure[];
}

/**
 * Lists the key files of all sources; of a directory, what ends in `.key`.
 *
 * A source may be a symbolic link, and so may a key file; a link to a directory is not followed
 * further down. Directories whose names begin with `..` are passed over: a Kubernetes volume keeps
 * its generations there, and links to the files of the newest one from outside.
 *
 * @param breathe awaited for each directory
 */
export async function listKeyFiles(
  sources: readonly KeySource[],
  breathe: () => Promise<void>,
): Promise<KeyFileList> {
  const paths = new Map<string, string>();
  const failures: KeyFailure[] = [];
  for (const source of sources) {
    const found = "file" in source ? [source.file] : await walk(source.dir, failures, breathe);
    for (const path of found) {
      const absolute = resolve(path);
      if (!paths.has(absolute)) paths.set(absolute, path);
    }
  }
  return { paths: [...paths.values()], failures };
}

async function walk(
  top: string,
  failures: KeyFailure[],
  breathe: () => Promise<void>,
): Promise<string[]> {
  const paths: string[] = [];
  const waiting = [top];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    await breathe();
    try {
      const entries = readdirSync(path, { withFileTypes: true }).sort(byName);
      const below = entries.filter(isWalked).map(({ name }) => join(path, name));
      waiting.push(...below.reverse()); // so that the first is popped first
      for (const entry of entries) {
        if (isKeyFile(entry)) paths.push(join(path, entry.name));
      }
    } catch (cause) {
      const why = `cannot be listed: ${pathReason(path, cause)}`;
      const error = new KeylessError("FILE_READ", why, { cause });
      failures.push(keyFailure(path, error, "directory"));
    }
  }
  return paths;
}

function isWalked(entry: Dirent): boolean {
  return entry.isDirectory() && !entry.name.startsWith("..");
}

/** Also what is no regular file: reading it tells the operator so. */
function isKeyFile(entry: Dirent): boolean {
  return entry.name.endsWith(".key") && !entry.isDirectory();
}

function byName(a: Dirent, b: Dirent): number {
  return a.name < b.name ? -1 : 1;
}
