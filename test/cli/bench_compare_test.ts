import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type CliResult, runCli } from "../support/cli.ts";
import { type MadeOperation, makeResult, microsecondsTo } from "../support/bench_result.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const SLOW = { timeout: 30_000 };

let dir: TempDir;
before(() => {
  dir = makeTempDir();
  const frame = { version: 1, warnings: [], problems: [] };
  const write = (name: string, made: readonly MadeOperation[], changes: object = {}) =>
    dir.write(name, JSON.stringify({ ...frame, ...makeResult(made), ...changes }));
  write("fast.json", [{ latencies: microsecondsTo(1_000) }]);
  write("slow.json", [{ latencies: microsecondsTo(2_000), lost: 3 }]);
  write("ping.json", [{ name: "ping" }]);
  write("mixed.json", [{ name: "ping" }, { name: "ed25519" }]);
  write("hostile.json", [{ name: "ping\u001b[2J\u202e" }]);
  write("later.json", [{}], { schema: "keyless-bench/2" });
  write("cut.json", [{}], { totals: undefined });
  write("damaged.json", [{}], {
    operations: [{ ...makeResult().operations[0], latencyNs: "HISTFAAA" }],
  });
  const { options } = makeResult();
  write("wider.json", [{ latencies: microsecondsTo(1_000) }], {
    options: { ...options, connections: 64, mode: "open", ratePerSecond: 500 },
  });
  dir.write("broken.json", "{");
  dir.write("list.json", "[]");
  dir.write("null.json", "null");
});
after(() => dir.remove());

function compare(...args: string[]): Promise<CliResult> {
  return runCli(["bench", "compare", ...args], { cwd: dir.path });
}

describe("keyless bench compare", () => {
  test("shows both runs, and what has changed", SLOW, async () => {
    const { code, stdout, stderr } = await compare("fast.json", "slow.json");
    assert.deepEqual([code, stderr], [0, ""]);
    const [headings, ...rows] = stdout.trimEnd().split("\n").map((line) => line.split(/ {2,}/));
    assert.deepEqual(headings, ["", "A", "B", "CHANGE"]);
    assert.deepEqual(rows.slice(0, 4), [
      ["rate", "100/s", "200/s", "+100 %"],
      ["errors", "0 %", "0.15 %", "+0.15 points"],
      ["mean", "500.5 µs", "1.001 ms", "+99.9 %"],
      ["p50", "500.2 µs", "1 ms", "+100 %"],
    ]);
  });

  test("exits 1 where a rule is broken, and names it with what was measured", SLOW, async () => {
    const rules = ["p99>+10%", "rate<-5%", "errors>0%"].flatMap((rule) => ["--fail-on", rule]);
    const { code, stdout, stderr } = await compare("fast.json", "slow.json", ...rules);
    assert.equal(code, 1);
    assert.match(stdout, /\np99 /);
    assert.deepEqual(stderr.trimEnd().split("\n"), [
      "keyless bench compare: 2 of 3 rules broken",
      "  p99>+10%: +100 %, from 990.2 µs to 1.98 ms",
      "  errors>0%: +0.15 points, from 0 % to 0.15 %",
    ]);
    const kept = await compare("slow.json", "fast.json", "--fail-on", "p99>+10%");
    assert.deepEqual([kept.code, kept.stderr], [0, ""]);
  });

  test("compares each operation of a mix", SLOW, async () => {
    const { code, stdout } = await compare("mixed.json", "mixed.json");
    assert.equal(code, 0);
    for (const name of ["p99", "ping.p99", "ed25519.p99"]) {
      assert.match(stdout, new RegExp(`^${name} .* 0 %$`, "m"));
    }
  });

  test("warns where the runs were not made alike", SLOW, async () => {
    const { code, stderr } = await compare("fast.json", "wider.json");
    assert.equal(code, 0);
    const warning = "keyless bench compare: warning: the runs are not alike:";
    assert.deepEqual(stderr.trimEnd().split("\n"), [
      `${warning} mode: closed loop, then open loop at 500/s`,
      `${warning} connections: 16, then 64`,
    ]);
  });

  test("prints one JSON document with --json", SLOW, async () => {
    const args = ["fast.json", "slow.json", "--json", "--fail-on", "ecdsa-sha256.p99>+10%"];
    const { code, stdout, stderr } = await compare(...args);
    assert.deepEqual([code, stderr], [1, ""]);
    const document = JSON.parse(stdout);
    const fields = ["version", "differences", "rules", "warnings", "problems"];
    assert.deepEqual(Object.keys(document), fields);
    const { operation, measure, unit, isBroken, rule } = document.rules[0];
    assert.deepEqual([operation, measure, unit, isBroken, rule], [
      ...["ecdsa-sha256", "p99", "nanoseconds"],
      ...[true, "ecdsa-sha256.p99>+10%"],
    ]);
    assert.equal(document.differences[0].before, 100);
    assert.equal(document.differences[0].change, 1);
    assert.deepEqual(document.problems.map(({ code }: { code: string }) => code), ["CHECK_FAILED"]);
  });
});

describe("keyless bench compare refuses", () => {
  const refused: readonly [what: string, args: readonly string[], message: RegExp][] = [
    ["runs of other operations", ["fast.json", "ping.json"], /\(ecdsa-sha256; ping\); compare two/],
    [
      "a name that would move the cursor",
      ["ping.json", "hostile.json"],
      /\(ping; ping\\u\{1b\}\[2J\\u\{202e\}\)/,
    ],
    [
      "a result of another version",
      ["fast.json", "later.json"],
      /"later\.json" is of version keyless-bench\/2, and this program reads keyless-bench\/1/,
    ],
    [
      "text that is no JSON",
      ["broken.json", "fast.json"],
      /"broken\.json" is no JSON; give a file/,
    ],
    [
      "another JSON document",
      ["list.json", "fast.json"],
      /"list\.json" is no result of a benchmark/,
    ],
    ["a JSON null", ["null.json", "fast.json"], /"null\.json" is no result of a benchmark/],
    ["a result that lacks a part", ["cut.json", "fast.json"], /"cut\.json" .*: totals: /],
    [
      "a histogram that is damaged",
      ["damaged.json", "fast.json"],
      /operations\.0\.latencyNs: no histogram of this version/,
    ],
    [
      "a file that is not there",
      ["none.json", "fast.json"],
      /"none\.json" cannot be read: no such/,
    ],
    ["a directory", [".", "fast.json"], /the result "\." is a directory, not a file/],
    ["one file", ["fast.json"], /missing required argument 'after'/],
    ["a rule that is none", ["fast.json", "fast.json", "--fail-on", "p99"], /is no rule; write a/],
    [
      "a rule for an operation that was not done",
      ["fast.json", "fast.json", "--fail-on", "ping.p99>1%"],
      /"ping", which the runs did not do; they did ecdsa-sha256/,
    ],
    [
      "a flag of the benchmark itself",
      ["fast.json", "fast.json", "--threshold", "p99<1s"],
      /--threshold is a flag of keyless bench: leave it out here/,
    ],
  ];
  for (const [what, args, message] of refused) {
    test(`${what}, with exit code 2`, SLOW, async () => {
      const { code, stdout, stderr } = await compare(...args);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, message);
      assert.match(stderr, /^keyless bench compare: /);
    });
  }
});
