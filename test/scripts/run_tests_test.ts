import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

interface Bad {
  readonly fixture: string;
  /** The last three lines: the count on Bun, on Deno, and of both. */
  readonly bun: string;
  readonly deno: string;
  readonly both: string;
  readonly says: readonly RegExp[];
}

const BAD: readonly Bad[] = [
  {
    fixture: "failing.ts",
    bun: "1 passed, 1 failed",
    deno: "1 passed, 1 failed",
    both: "2 passed, 2 failed",
    says: [/^failed on bun: .*failing\.ts: suite > fails$/m, /^failed on deno: .*suite > fails$/m],
  },
  {
    fixture: "skipped.ts",
    bun: "1 passed, 0 failed, 2 skipped",
    deno: "1 passed, 0 failed, 2 skipped",
    both: "2 passed, 0 failed, 4 skipped",
    says: [
      /^skipped on bun: .*skipped\.ts: left out$/m,
      /^skipped on deno: .*skipped\.ts: still to do$/m,
      /^skipped tests fail the run in CI; --allow-skips lets it pass$/m,
    ],
  },
  {
    fixture: "skipped_suite.ts",
    bun: "1 passed, 0 failed",
    deno: "1 passed, 0 failed, 1 skipped",
    both: "2 passed, 1 failed, 1 skipped",
    says: [/^failed: .*skipped_suite\.ts: "left out" is a test on deno and not on bun$/m],
  },
  {
    fixture: "unhandled_rejection.ts",
    bun: "0 passed, 1 failed",
    deno: "0 passed, 1 failed",
    both: "0 passed, 2 failed",
    says: [/an unhandled rejection ends the test run: Error: nobody awaits this/],
  },
  {
    fixture: "timer_throws.ts",
    bun: "1 passed, 1 failed",
    deno: "1 passed, 1 failed",
    both: "2 passed, 2 failed",
    says: [/an error outside of every test ends the test run: Error: thrown in a timer/],
  },
  {
    fixture: "throws_while_loading.ts",
    bun: "0 passed, 1 failed",
    deno: "0 passed, 1 failed",
    both: "0 passed, 2 failed",
    says: [
      /^failed on bun: .* ended without a report \(exit code 1\)/m,
      /^failed on deno: .* reports no test \(exit code 1\)/m,
      /thrown at the top level/,
    ],
  },
  {
    fixture: "exit_midway.ts",
    bun: "0 passed, 1 failed",
    deno: "1 passed, 1 failed, 1 skipped",
    both: "1 passed, 2 failed, 1 skipped",
    says: [
      /^failed on bun: .* ended without a report \(exit code 0\)/m,
      /failed on deno: .*: ends/,
    ],
  },
  {
    fixture: "exit_while_loading.ts",
    bun: "0 passed, 1 failed",
    deno: "0 passed, 1 failed",
    both: "0 passed, 2 failed",
    says: [/^failed on bun: .* ended without a report/m, /^failed on deno: .* reports no test/m],
  },
  {
    fixture: "hook_throws.ts",
    bun: "1 passed, 1 failed",
    deno: "1 passed, 1 failed",
    both: "2 passed, 2 failed",
    says: [/^failed on bun: .* failed outside of its tests/m, /^failed on deno: .*: suite$/m],
  },
  {
    fixture: "no_tests.ts",
    bun: "0 passed, 1 failed",
    deno: "0 passed, 1 failed",
    both: "0 passed, 2 failed",
    says: [
      /^failed on bun: .* ended without a report/m,
      /^failed on deno: .* reports no test \(exit code 0\)/m,
    ],
  },
];

describe("run_tests", () => {
  for (const { fixture, bun, deno, both, says } of BAD) {
    test(`fails the run for ${fixture}, on both runtimes`, () => {
      const { code, output, last } = runTests(`test/support/fixtures/${fixture}`);
      assert.equal(code, 1, output);
      assert.deepEqual(last, [`bun: ${bun}`, `deno: ${deno}`, both], output);
      for (const pattern of says) assert.match(output, pattern);
    });
  }

  test("passes tests that pass, counting those of nested suites and of the same name", () => {
    const { code, output, last } = runTests("test/support/fixtures/passing.ts");
    assert.equal(code, 0, output);
    assert.deepEqual(last, [
      "bun: 3 passed, 0 failed",
      "deno: 3 passed, 0 failed",
      "6 passed, 0 failed",
    ]);
  });

  test("passes skipped tests by hand, and in CI where allowed, but counts and names them", () => {
    const fixture = "test/support/fixtures/skipped.ts";
    for (const ran of [runTestsByHand(fixture), runTests("--allow-skips", fixture)]) {
      assert.equal(ran.code, 0, ran.output);
      assert.equal(ran.last[2], "2 passed, 0 failed, 4 skipped");
      assert.match(ran.output, /^skipped on bun: .*: left out$/m);
    }
  });

  test("runs on one runtime where it is asked to", () => {
    const { code, output, last } = runTests("--runtime=deno", "test/support/fixtures/passing.ts");
    assert.equal(code, 0, output);
    assert.deepEqual(last.slice(1), ["deno: 3 passed, 0 failed", "3 passed, 0 failed"]);
    assert.doesNotMatch(output, /^ok bun/m);
  });

  test("ends what a test left behind, instead of waiting for it", () => {
    const { code, output } = runTests("test/support/fixtures/process_left_behind.ts");
    assert.equal(code, 0, output);
  });

  const usage: readonly [what: string, args: readonly string[], says: RegExp][] = [
    ["a flag that it does not know", ["--alow-skips"], /--alow-skips/],
    ["a runtime that it does not know", ["--runtime=node"], /--runtime: bun or deno/],
    ["no jobs at all", ["--jobs=0"], /--jobs: a whole number from 1/],
    ["a path that does not exist", ["test/no_such_folder"], /no_such_folder/],
  ];
  for (const [what, args, says] of usage) {
    test(`refuses ${what} with exit code 2`, () => {
      const { code, output } = runTests(...args);
      assert.equal(code, 2, output);
      assert.match(output, says);
      assert.match(output, /^usage: /m);
    });
  }

  test("fails a run that has no test file at all", () => {
    const { code, last } = runTests("test/vectors");
    assert.equal(code, 1);
    assert.equal(last.at(-1), "0 passed, 0 failed");
  });

  test("explains itself", () => {
    const { code, output } = runTests("--help");
    assert.equal(code, 0);
    assert.match(output, /^usage: /);
  });
});

interface Ran {
  readonly code: number | null;
  readonly output: string;
  /** The last three lines. */
  readonly last: readonly string[];
}

function runTests(...args: readonly string[]): Ran {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["scripts/run_tests.ts", ...args],
    { cwd: ROOT, encoding: "utf8", env: { ...process.env, CI: "true" } },
  );
  return ranOf({ status, stdout, stderr });
}

/** As people run it, and not continuous integration. */
function runTestsByHand(...args: readonly string[]): Ran {
  const { CI: _, ...env } = process.env;
  const script = ["scripts/run_tests.ts", ...args];
  return ranOf(spawnSync(process.execPath, script, { cwd: ROOT, encoding: "utf8", env }));
}

type Ended = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

function ranOf({ status, stdout, stderr }: Ended): Ran {
  return {
    code: status,
    output: `${stdout}${stderr}`,
    last: stdout.trimEnd().split("\n").slice(-3),
  };
}
