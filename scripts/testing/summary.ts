import type { Outcome } from "./junit.ts";
import type { FileRun } from "./run_file.ts";
import { type Runtime, RUNTIMES } from "./test_files.ts";

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Tests by outcome. What failed a file besides its tests counts as one more failure. */
export function countRuns(runs: readonly FileRun[]): Counts {
  const count = (outcome: Outcome) =>
    runs.flatMap((run) => run.cases).filter((test) => test.outcome === outcome).length;
  const problems = runs.filter((run) => run.problem !== undefined).length;
  return {
    passed: count("passed"),
    failed: count("failed") + problems,
    skipped: count("skipped"),
  };
}

/** "3 passed, 0 failed", and ", 1 skipped" where some were. */
export function countsLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** One line for a file that ran; of one that failed, everything that it printed as well. */
export function fileLines(run: FileRun): string {
  const counts = countRuns([run]);
  const verdict = counts.failed > 0 ? "FAILED" : "ok";
  const seconds = `${(run.durationMs / 1_000).toFixed(1)} s`;
  const line = `${verdict} ${run.runtime} ${run.path}: ${countsLine(counts)} (${seconds})`;
  if (counts.failed === 0) return line;
  const problem = run.problem === undefined ? [] : [`the file ${run.problem}`];
  return [line, ...problem, run.output.trimEnd(), ""].join("\n");
}

/**
 * The tests of each file that exist on one runtime and not on the other, as failures. A test that is
 * not registered is one that nobody sees missing: neither runtime reports it, as Bun does not the
 * tests of a skipped suite.
 */
export function unevenTests(runs: readonly FileRun[]): readonly string[] {
  return [...Map.groupBy(runs, (run) => run.path)].flatMap(([path, pair]) => {
    const [bun, deno] = RUNTIMES.map((runtime) => pair.find((run) => run.runtime === runtime));
    if (bun === undefined || deno === undefined || countRuns(pair).failed > 0) return [];
    return [...missing(bun, deno), ...missing(deno, bun)].map((line) => `${path}: ${line}`);
  });
}

/**
 * The report after all files ran; its last line is the count of everything.
 *
 * @param skipsFail whether skipped tests fail the run
 */
export function summaryLines(
  runs: readonly FileRun[],
  uneven: readonly string[],
  skipsFail: boolean,
): string {
  const total = countRuns(runs);
  return [
    "",
    ...named(runs, "skipped"),
    ...named(runs, "failed"),
    ...runs.filter((run) => run.problem !== undefined).map((run) =>
      `failed on ${run.runtime}: ${run.path} ${run.problem}`
    ),
    ...uneven.map((line) => `failed: ${line}`),
    ...(skipsFail && total.skipped > 0 ? [SKIPS_FAIL] : []),
    ...RUNTIMES.flatMap((runtime) => runtimeLine(runs, runtime)),
    countsLine({ ...total, failed: total.failed + uneven.length }),
  ].join("\n");
}

const SKIPS_FAIL = "skipped tests fail the run in CI; --allow-skips lets it pass";

function missing(from: FileRun, other: FileRun): readonly string[] {
  const left = other.cases.map((test) => test.name);
  return from.cases.flatMap(({ name }) => {
    const at = left.indexOf(name);
    if (at === -1) return [`"${name}" is a test on ${from.runtime} and not on ${other.runtime}`];
    left.splice(at, 1);
    return [];
  });
}

function named(runs: readonly FileRun[], outcome: Outcome): readonly string[] {
  return runs.flatMap((run) =>
    run.cases.filter((test) => test.outcome === outcome)
      .map((test) => `${outcome} on ${run.runtime}: ${run.path}: ${test.name}`)
  );
}

function runtimeLine(runs: readonly FileRun[], runtime: Runtime): readonly string[] {
  const own = runs.filter((run) => run.runtime === runtime);
  return own.length === 0 ? [] : [`${runtime}: ${countsLine(countRuns(own))}`];
}
