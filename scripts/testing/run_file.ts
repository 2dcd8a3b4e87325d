import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseJunit, type TestCase } from "./junit.ts";
import type { Runtime } from "./test_files.ts";

/** What one test file did on one runtime. */
export interface FileRun {
  readonly path: string;
  readonly runtime: Runtime;
  readonly cases: readonly TestCase[];
  /** Why the file failed besides its failed tests; undefined where it did not. */
  readonly problem: string | undefined;
  /** Everything that it printed. */
  readonly output: string;
  readonly durationMs: number;
}

/**
 * Runs one test file in a process of its own, and reads the report that the runtime writes.
 *
 * The report is what counts. A file whose process ended without one (it crashed while loading, or a test
 * called `process.exit`) has failed whatever the exit code says, and so has one that reports no test.
 */
export async function runFile(root: string, path: string, runtime: Runtime): Promise<FileRun> {
  const folder = await mkdtemp(join(tmpdir(), "keyless-tests-"));
  try {
    const report = join(folder, "junit.xml");
    const startMs = performance.now();
    const ended = await run(root, runtime, COMMANDS[runtime](path, report));
    const durationMs = performance.now() - startMs;
    const xml = await readFile(report, "utf8").catch(() => undefined);
    const cases = xml === undefined ? [] : parseJunit(xml);
    const problem = problemOf(ended, xml, cases);
    return { path, runtime, cases, problem, output: ended.output, durationMs };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** 60 s for one test on Bun, as Deno has no such limit; five minutes for a file on both. */
const TEST_TIMEOUT_MS = 60_000;
const FILE_TIMEOUT_MS = 300_000;

/** What remains of a file's output where it prints without end. */
const MAX_OUTPUT_LENGTH = 1_000_000;

const COMMANDS: Readonly<Record<Runtime, (path: string, report: string) => readonly string[]>> = {
  bun: (path, report) => [
    "test",
    `./${path}`,
    `--timeout=${TEST_TIMEOUT_MS}`,
    "--reporter=junit",
    `--reporter-outfile=${report}`,
  ],
  deno: (path, report) => [
    "test",
    "--allow-all",
    "--no-check", // `deno task check` has checked all files
    "--preload=test/support/guard.ts",
    `--junit-path=${report}`,
    path,
  ],
};

interface Ended {
  readonly output: string;
  /** The exit code, the name of a signal, or "timeout". */
  readonly end: number | string;
}

function run(root: string, runtime: Runtime, args: readonly string[]): Promise<Ended> {
  const program = join(root, "node_modules/.bin", runtime);
  const child = spawn(program, args, {
    cwd: root,
    env: testEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // a group of its own, so that what a test leaves behind can be ended with it
  });
  const endGroup = () => endProcessGroup(child.pid);
  process.once("exit", endGroup);
  let output = "";
  const keep = (text: string) => {
    output = (output + text).slice(-MAX_OUTPUT_LENGTH);
  };
  child.stdout.setEncoding("utf8").on("data", keep);
  child.stderr.setEncoding("utf8").on("data", keep);
  return new Promise((resolve, reject) => {
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      endGroup();
    }, FILE_TIMEOUT_MS);
    child.once("error", reject);
    child.once("exit", endGroup); // else a process left behind would hold the pipes open
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      process.off("exit", endGroup);
      resolve({ output, end: timedOut ? "timeout" : code ?? signal ?? "lost" });
    });
  });
}

function endProcessGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // nothing of it is left
  }
}

/** The tests see the machine's environment, but none of the settings that the product itself reads. */
function testEnvironment(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("KEYLESS_"));
  return { ...Object.fromEntries(kept), NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
}

function problemOf(
  ended: Ended,
  xml: string | undefined,
  cases: readonly TestCase[],
): string | undefined {
  if (ended.end === "timeout") return `did not end within ${FILE_TIMEOUT_MS / 1_000} s`;
  const how = typeof ended.end === "number" ? `exit code ${ended.end}` : ended.end;
  if (xml === undefined) {
    return `ended without a report (${how}): it failed to load, has no test, or ended the process`;
  }
  if (cases.length === 0) return `reports no test (${how})`;
  const failed = cases.some((test) => test.outcome === "failed");
  return ended.end === 0 || failed ? undefined : `failed outside of its tests (${how})`;
}
