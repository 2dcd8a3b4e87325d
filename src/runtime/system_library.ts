import { existsSync } from "node:fs";
import process from "node:process";
import { messageOf } from "../errors/errors.ts";
import { type Functions, openLibrary, type SymbolTable } from "./ffi.ts";

/**
 * Where a shared library may lie: the folders of the system's own packages, by absolute path. A
 * bare name would be looked up in the current directory too. /usr/local is left out: what lies
 * there gets no security updates, and on some systems others than root may write to it.
 */
export function systemLibraryPaths(fileName: string): readonly string[] {
  return libraryFolders().map((folder) => `${folder}/${fileName}`);
}

/** The folders of `systemLibraryPaths`. */
export function libraryFolders(): readonly string[] {
  const triplet = MULTIARCH[process.arch];
  return triplet === undefined ? FOLDERS : [`/usr/lib/${triplet}`, `/lib/${triplet}`, ...FOLDERS];
}

export type LibrarySearch<Table extends SymbolTable> =
  | { readonly path: string; readonly functions: Functions<Table> }
  /** Every path with what stood in its way, for a message. */
  | { readonly path: undefined; readonly tried: readonly string[] };

/** Opens the first library of the paths that is there and has every symbol. */
export function findLibrary<Table extends SymbolTable>(
  paths: readonly string[],
  table: Table,
): LibrarySearch<Table> {
  const tried: string[] = [];
  for (const path of paths) {
    if (!existsSync(path)) {
      tried.push(`${path} (not there)`);
      continue;
    }
    try {
      return { path, functions: openLibrary(path, table) };
    } catch (error) {
      tried.push(`${path} (${messageOf(error)})`);
    }
  }
  return { path: undefined, tried };
}

/** Debian's and Ubuntu's folders, by `process.arch`. */
const MULTIARCH: Readonly<Record<string, string>> = {
  x64: "x86_64-linux-gnu",
  arm64: "aarch64-linux-gnu",
};

/** Fedora, RHEL and SUSE; Arch and Alpine; the same before /usr was merged. */
const FOLDERS = ["/usr/lib64", "/usr/lib", "/lib64", "/lib"];
