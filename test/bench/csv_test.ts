import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { csvOf } from "../../src/bench/csv.ts";
import { makeRun, microsecondsTo } from "../support/bench_result.ts";

function rowsOf(text: string): readonly Readonly<Record<string, string>>[] {
  assert.ok(text.endsWith("\n"));
  const [headings, ...rows] = text.trimEnd().split("\n").map((line) => line.split(","));
  for (const row of rows) assert.equal(row.length, headings!.length);
  return rows.map((row) => Object.fromEntries(row.map((cell, at) => [headings![at]!, cell])));
}

describe("the CSV of a run", () => {
  const run = makeRun([
    {
      latencies: microsecondsTo(1_000),
      errors: [{ wireCode: 1, text: "x", count: 3 }],
      wrong: 2,
      lost: 4,
    },
    { name: "ping", latencies: [] },
  ]);
  const text = csvOf(run);
  const rows = rowsOf(text);

  test("has a row for each second, then for each operation, then the total", () => {
    assert.deepEqual(rows.map(({ kind, operation }) => `${kind} ${operation}`.trim()), [
      ...Array.from({ length: 10 }, () => "second"),
      "operation ecdsa-sha256",
      "operation ping",
      "total",
    ]);
    const seconds = "second,,3,1,,103,,0,103,,1,,5,,,";
    assert.equal(text.split("\n")[4], seconds);
  });

  test("counts an operation, and gives its latency in milliseconds", () => {
    const row = rows.find(({ operation }) => operation === "ecdsa-sha256")!;
    const { sent, answered, wrong, errors, rate_per_second } = row;
    assert.deepEqual({ sent, answered, wrong, errors, rate_per_second }, {
      sent: "1009",
      answered: "1000",
      wrong: "2",
      errors: "7",
      rate_per_second: "100",
    });
    for (const [name, exact] of [["p50_ms", 0.5], ["p99_9_ms", 0.999], ["max_ms", 1]] as const) {
      assert.ok(Math.abs(Number(row[name]) / exact - 1) < 0.001, `${name} ${row[name]}`);
    }
  });

  test("leaves cells empty where there was nothing to measure", () => {
    const { answered, p50_ms, mean_ms, max_ms } = rows.find(({ operation }) =>
      operation === "ping"
    )!;
    assert.deepEqual([answered, p50_ms, mean_ms, max_ms], ["0", "", "", ""]);
    const silence = {
      atSeconds: 0,
      spanSeconds: 0.25,
      answered: 0,
      ratePerSecond: 0,
      errors: 2,
      p50Ns: 0,
      p99Ns: 0,
    };
    const [second] = rowsOf(csvOf(makeRun([{}], { series: [silence] })));
    assert.deepEqual([second!["errors"], second!["p50_ms"], second!["p99_ms"]], ["2", "", ""]);
  });
});
