import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory of a test's own, mode 0700. */
export interface TempDir {
  readonly path: string;
  /** The path of a name in it. */
  at(...names: string[]): string;
  /** Writes a file, 0600 unless told otherwise, and gives its path. */
  write(name: string, contents: string | Uint8Array, mode?: number): string;
  remove(): void;
}

export function makeTempDir(): TempDir {
  const path = mkdtempSync(join(tmpdir(), "keyless-test-"));
  const at = (...names: string[]) => join(path, ...names);
  return {
    path,
    at,
    write(name, contents, mode = 0o600) {
      writeFileSync(at(name), contents, { mode });
      return at(name);
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}
