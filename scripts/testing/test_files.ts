import { readdirSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";

export const RUNTIMES = ["bun", "deno"] as const;
export type Runtime = (typeof RUNTIMES)[number];

/** A test file, and where it runs. */
export interface TestFile {
  /** From the project's root. */
  readonly path: string;
  readonly runtimes: readonly Runtime[];
  /** Runs while nothing else does: it starts processes of its own, and measures time. */
  readonly alone: boolean;
}

/**
 * The test files that paths name: a file for itself, a folder for every `_test.ts` in it.
 *
 * @throws as `statSync` where a path does not exist
 */
export function findTestFiles(root: string, paths: readonly string[]): readonly TestFile[] {
  const found = paths.map((path) => resolve(root, path)).flatMap((path) =>
    statSync(path).isDirectory() ? testFilesIn(path) : [path]
  );
  return [...new Set(found)].sort().map((path) => describeFile(relative(root, path)));
}

/** Folders of test/ that start the executable or whole scripts: on Bun, one after the other. */
const PROGRAM_FOLDERS = ["test/scenario/", "test/scripts/"];

function describeFile(path: string): TestFile {
  const alone = PROGRAM_FOLDERS.some((folder) => path.startsWith(folder));
  return { path, runtimes: alone ? ["bun"] : RUNTIMES, alone };
}

function testFilesIn(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith("_test.ts"))
    .map((entry) => join(entry.parentPath, entry.name));
}
