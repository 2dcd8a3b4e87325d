import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { percentileDistributions } from "../../src/bench/hgrm.ts";
import { makeRun, microsecondsTo } from "../support/bench_result.ts";

/** As HdrHistogram's plotter takes it apart: four columns of numbers, comments and headings aside. */
function readDistribution(text: string): readonly (readonly number[])[] {
  return text.trim().split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#") && !line.startsWith("Value"))
    .map((line) => line.split(/\s+/).map(Number));
}

describe("percentileDistributions", () => {
  const count = 100_000;
  const [file] = percentileDistributions(makeRun([{ latencies: microsecondsTo(count) }]), "x.hgrm");
  const text = file!.text;
  const rows = readDistribution(text);

  test("gives the exact values of a known distribution, in milliseconds", () => {
    assert.ok(rows.length > 50, String(rows.length));
    for (const [value, share, total] of rows as [number, number, number][]) {
      const exact = Math.max(1, share * count) / 1_000;
      assert.ok(Math.abs(value - exact) <= exact * 0.001 + 0.002, `${share}: ${value}, ${exact}`);
      assert.ok(total / count >= share - 1e-9, `${share}: ${total}`);
    }
  });

  test("climbs from the first percentile to the last, which has everything and no rarity", () => {
    for (const [at, row] of rows.entries()) {
      assert.equal(row.length, at === rows.length - 1 ? 3 : 4);
      for (const [column, number] of row.entries()) {
        assert.ok(number >= (rows[at - 1]?.[column] ?? 0), `row ${at}`);
      }
    }
    assert.deepEqual(rows.at(-1)!.slice(1), [1, count]);
    const rarities = rows.slice(0, -1).map(([, share, , rarity]) => rarity! * (1 - share!));
    for (const product of rarities) assert.ok(Math.abs(product - 1) < 0.01, String(product));
  });

  test("has the headings and the comments that HdrHistogram's tools write", () => {
    assert.match(text, /^ +Value +Percentile TotalCount 1\/\(1-Percentile\)\n\n/);
    assert.match(text, /\n#\[Mean {4}= +50\.0\d\d, StdDeviation {3}= +28\.8\d\d\]\n/);
    assert.match(text, /\n#\[Max {5}= +100\.0\d\d, Total count {4}= +100000\]\n#\[Buckets = /);
  });

  test("is one file for one operation, and one for each of several", () => {
    const paths = (path: string, names: readonly string[]) =>
      percentileDistributions(makeRun(names.map((name) => ({ name }))), path).map((made) =>
        made.path
      );
    assert.deepEqual(paths("out/run.hgrm", ["ping"]), ["out/run.hgrm"]);
    const both = ["ping", "rsa-sha256"];
    assert.deepEqual(paths("out.d/run.hgrm", both), [
      "out.d/run.ping.hgrm",
      "out.d/run.rsa-sha256.hgrm",
    ]);
    assert.deepEqual(paths("out.d/run", both), ["out.d/run.ping", "out.d/run.rsa-sha256"]);
  });

  test("of no answers is a distribution of nothing", () => {
    const [empty] = percentileDistributions(makeRun([{ latencies: [] }]), "x");
    assert.match(empty!.text, /Total count {4}= +0\]/);
  });
});
