import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { after, before, describe, test } from "node:test";
import { planReports, writeReports } from "../../../cli/bench/reports.ts";
import { ruleError, ruleText, thresholdError } from "../../../cli/bench/verdicts.ts";
import { judgeChange, parseComparisonRule } from "../../../src/bench/compare.ts";
import { judge, parseThreshold } from "../../../src/bench/threshold.ts";
import { KeylessError } from "../../../src/errors/errors.ts";
import { makeRun, microsecondsTo } from "../../support/bench_result.ts";
import { makeTempDir, type TempDir } from "../../support/temp_dir.ts";

const OPERATIONS = ["ecdsa-sha256"];

let dir: TempDir;
before(() => {
  dir = makeTempDir();
});
after(() => dir.remove());

describe("the files of a run", () => {
  const run = makeRun([{ latencies: microsecondsTo(100) }]);

  test("are written, each as its flag says", async () => {
    const flags = { csv: dir.at("a.csv"), hgrm: dir.at("a.hgrm"), html: dir.at("a.html") };
    const plan = planReports(flags, OPERATIONS);
    assert.deepEqual(await writeReports(plan, run, []), []);
    assert.match(readFileSync(flags.csv, "utf8"), /^kind,operation,[^]*\ntotal,/);
    assert.match(readFileSync(flags.hgrm, "utf8"), /^ +Value +Percentile [^]*#\[Buckets/);
    assert.match(readFileSync(flags.html, "utf8"), /^<!DOCTYPE html>[^]*<\/html>\s*$/);
  });

  test("that cannot be written are refused before the run", () => {
    mkdirSync(dir.at("folder"));
    const refused: readonly [flags: object, message: RegExp][] = [
      [{ csv: dir.at("none", "a.csv") }, /^--csv .*a\.csv cannot be written: no such file or/],
      [{ html: dir.at("folder") }, /^--html .*folder cannot be written: it is a directory, not a/],
      [{ hgrm: "" }, /^--hgrm "" cannot be written: the name is empty/],
      [{ csv: dir.at("x\u001b[2J", "y") }, /x\\u\{1b\}\[2J/],
    ];
    for (const [flags, message] of refused) {
      assert.throws(() => planReports(flags, OPERATIONS), (thrown) => {
        assert.ok(thrown instanceof KeylessError);
        assert.equal(thrown.code, "FILE_WRITE");
        assert.match(thrown.message, message);
        return true;
      });
    }
    assert.throws(
      () => planReports({ csv: dir.at("one"), html: dir.at("one") }, OPERATIONS),
      /--csv and --html name the same file/,
    );
    assert.ok(!existsSync(dir.at("one")));
  });

  test("that cannot be written after all are told, and do not keep others from it", async () => {
    mkdirSync(dir.at("gone"));
    const flags = { csv: dir.at("gone", "a.csv"), html: dir.at("b.html") };
    const plan = planReports(flags, OPERATIONS);
    chmodSync(dir.at("gone"), 0o700);
    mkdirSync(flags.csv);
    const [failure, ...others] = await writeReports(plan, run, []);
    assert.equal(failure?.code, "FILE_WRITE");
    assert.match(failure.message, /--csv .* cannot be written: .*directory/);
    assert.deepEqual(others, []);
    assert.ok(existsSync(flags.html));
  });

  test("replace what stands there as a whole, also behind a link; its mode stays", async () => {
    dir.write("old.csv", "old");
    chmodSync(dir.at("old.csv"), 0o640);
    symlinkSync(dir.at("old.csv"), dir.at("link.csv"));
    const plan = planReports({ csv: dir.at("link.csv") }, OPERATIONS);
    assert.deepEqual(await writeReports(plan, run, []), []);
    assert.match(readFileSync(dir.at("old.csv"), "utf8"), /^kind,/);
    assert.equal(statSync(dir.at("old.csv")).mode & 0o777, 0o640);
    assert.ok(lstatSync(dir.at("link.csv")).isSymbolicLink());
    assert.deepEqual(readdirSync(dir.path).filter((name) => name.endsWith(".tmp")), []);
  });

  test("may be devices, which are written to and stay what they are", async () => {
    const plan = planReports({ csv: "/dev/null" }, OPERATIONS);
    assert.deepEqual(await writeReports(plan, run, []), []);
    assert.ok(statSync("/dev/null").isCharacterDevice());
  });

  test("go with thresholds, which are read before the run as well", () => {
    assert.equal(
      planReports({ threshold: ["p99<5ms", "rate>1"] }, OPERATIONS).thresholds.length,
      2,
    );
    assert.throws(() => planReports({ threshold: ["p99<fast"] }, OPERATIONS), /"fast" is none/);
    assert.throws(() => planReports({ threshold: ["ping.max<1s"] }, OPERATIONS), /"ping", which/);
  });
});

describe("what is broken", () => {
  const run = makeRun([{ latencies: microsecondsTo(1_000), lost: 5 }]);

  test("is named with what was measured, and what holds is not", () => {
    const rules = ["p99<900us", "rate>10", "errors<0.1%", "errors<=4", "rate>1000", "p50<=500us"];
    const error = thresholdError(judge(rules.map(parseThreshold), run))!;
    assert.equal(error.code, "CHECK_FAILED");
    assert.equal(error.exitCode, 1);
    assert.deepEqual(error.message.split("\n"), [
      "5 of 6 thresholds broken",
      "  p99<900us: 990.2 µs",
      "  errors<0.1%: 0.498 %",
      "  errors<=4: 5",
      "  rate>1000: 100/s",
      "  p50<=500us: 500.2 µs",
    ]);
    assert.equal(thresholdError(judge([parseThreshold("rate>10")], run)), undefined);
    assert.equal(thresholdError([]), undefined);
  });

  test("says so where nothing was measured", () => {
    const silent = makeRun([{ latencies: [] }]);
    const error = thresholdError(judge([parseThreshold("p99<1h")], silent))!;
    assert.equal(error.message, "1 of 1 threshold broken\n  p99<1h: nothing was measured");
  });

  test("of a comparison is named with its change", () => {
    const slow = makeRun([{ latencies: microsecondsTo(2_000) }]);
    const rules = ["max>+10%", "errors>+1%", "rate<-5%"].map(parseComparisonRule);
    assert.equal(
      ruleError(judgeChange(rules, run, slow))!.message,
      "1 of 3 rules broken\n  max>+10%: +100 %, from 1 ms to 2.001 ms",
    );
    const [verdict] = judgeChange(
      [parseComparisonRule("p50>+1%")],
      makeRun([{ latencies: [] }]),
      run,
    );
    assert.equal(ruleText(verdict!), "p50>+1%: cannot be told, from – to 500.2 µs");
  });
});
