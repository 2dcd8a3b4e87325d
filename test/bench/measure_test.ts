import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { measureRun, parseMeasure } from "../../src/bench/measure.ts";
import { makeRun, microsecondsTo } from "../support/bench_result.ts";

describe("parseMeasure", () => {
  test("reads percentiles, the named measures, and those of one operation", () => {
    const read = ["p50", "p99.99", "mean", "max", "rate", "errors", "rsa-sha256.p99.9", "ping.max"]
      .map((name) => {
        const { operation, kind, percentile } = parseMeasure(name)!;
        return [operation, kind, percentile];
      });
    assert.deepEqual(read, [
      [undefined, "percentile", 50],
      [undefined, "percentile", 99.99],
      [undefined, "mean", 0],
      [undefined, "max", 0],
      [undefined, "rate", 0],
      [undefined, "errorShare", 0],
      ["rsa-sha256", "percentile", 99.9],
      ["ping", "max", 0],
    ]);
  });

  test("gives nothing for other text", () => {
    const others = ["", "p", "p0", "p0.0", "p100", "p99.", "P99", "99", "p-1", "p1e1", "median"];
    const dotted = [".p99", "ping.", "ping..p99", "ping.p", "a.b.p99", "p99.9.9", "constructor"];
    for (const name of [...others, ...dotted]) assert.equal(parseMeasure(name), undefined, name);
  });
});

describe("measureRun", () => {
  const latencies = microsecondsTo(10_000);
  const rsa = microsecondsTo(100).map((each) => each * 1_000);
  const run = makeRun([
    {
      latencies,
      errors: [{ wireCode: 1, text: "x", count: 60 }, { wireCode: 8, text: "y", count: 30 }],
      wrong: 6,
      lost: 4,
      dropped: 9_800,
    },
    { name: "rsa-sha256", latencies: rsa },
  ]);
  const measure = (name: string) => measureRun(run, parseMeasure(name)!);

  test("gives percentiles of a known distribution within HdrHistogram's 0.1 %", () => {
    for (const percentile of [0.1, 1, 25, 50, 90, 99, 99.9, 99.99]) {
      assertNear(measure(`ecdsa-sha256.p${percentile}`), percentile / 100 * 10_000_000);
      if (percentile >= 1) assertNear(measure(`rsa-sha256.p${percentile}`), exactRsa(percentile));
    }
    assertNear(measure("ecdsa-sha256.max"), 10_000_000);
    assertNear(measure("ecdsa-sha256.mean"), 5_000_500);
  });

  test("adds operations up where none is named", () => {
    const all = [...latencies, ...rsa].toSorted((a, b) => a - b);
    for (const percentile of [50, 99, 99.9]) {
      assertNear(measure(`p${percentile}`), all[Math.ceil(all.length * percentile / 100) - 1]!);
    }
    assertNear(measure("max"), 100_000_000);
    assert.equal(measure("rate"), 1_010);
    assert.equal(measure("rsa-sha256.rate"), 10);
  });

  test("counts error replies, wrong answers, lost and dropped requests as errors", () => {
    assert.equal(measure("errors"), 9_900 / 20_000);
    assert.equal(measure("ecdsa-sha256.errors"), 9_900 / 19_900);
    assert.equal(measure("rsa-sha256.errors"), 0);
    assert.equal(measureRun(run, { ...parseMeasure("errors")!, kind: "errorCount" }), 9_900);
  });

  test("has nothing to tell of what did not happen", () => {
    const silent = makeRun([{ latencies: [] }]);
    for (const name of ["p99", "max", "mean", "errors"]) {
      assert.equal(measureRun(silent, parseMeasure(name)!), undefined, name);
    }
    assert.equal(measureRun(silent, parseMeasure("rate")!), 0);
    assert.equal(measure("ping.p99"), undefined);
  });

  function exactRsa(percentile: number): number {
    return Math.ceil(percentile) * 1_000_000;
  }
});

function assertNear(actual: number | undefined, exact: number): void {
  assert.ok(actual !== undefined && Math.abs(actual / exact - 1) <= 0.001, `${actual}, ${exact}`);
}
