import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

// in a process of its own: it lasts as long as the process

test("disableCoreDumps leaves a process that dumps no core and cannot be attached to", () => {
  const module = new URL("../../src/runtime/process.ts", import.meta.url).href;
  const ffi = new URL("../../src/runtime/system_library.ts", import.meta.url).href;
  const script = `
    import { readFileSync } from "node:fs";
    import { disableCoreDumps, LIBC_PATHS } from "${module}";
    import { findLibrary } from "${ffi}";
    const { functions } = findLibrary(LIBC_PATHS, { prctl: ["int", "int"] });
    const limit = () => readFileSync("/proc/self/limits", "utf8")
      .split("\\n").find((line) => line.startsWith("Max core")).split(/ {2,}/).slice(1, 3);
    const PR_GET_DUMPABLE = 3;
    const before = functions.prctl(PR_GET_DUMPABLE);
    const guard = disableCoreDumps();
    const after = functions.prctl(PR_GET_DUMPABLE);
    console.log(JSON.stringify({ before, guard, after, limit: limit() }));
  `;
  const isBun = process.versions.bun !== undefined;
  const args = isBun ? ["-e", script] : ["eval", "--ext=ts", "--no-check", script];
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  const output = execFileSync(process.execPath, args, { cwd, encoding: "utf8" });
  assert.deepEqual(JSON.parse(output), {
    before: 1,
    guard: { undumpable: true, noCoreFile: true },
    after: 0,
    limit: ["0", "0"],
  });
});
