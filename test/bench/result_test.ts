import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createHistogram, decodeHistogram, encodeHistogram } from "../../src/bench/histogram.ts";
import { MeasuredRun } from "../../src/bench/measured_run.ts";
import { parseResult } from "../../src/bench/result.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { makeResult, microsecondsTo } from "../support/bench_result.ts";

describe("parseResult", () => {
  const result = makeResult([
    { latencies: microsecondsTo(50), serviceTimes: microsecondsTo(50) },
    { name: "ping", latencies: [1_000], serviceTimes: [1_000], lost: 1 },
  ]);

  test("reads what was written, and passes over fields that it does not know", () => {
    assert.deepEqual(parseResult(JSON.stringify(result), "x"), result);
    assert.deepEqual(parseResult(JSON.stringify({ ...result, later: 1 }), "x"), result);
  });

  test("gives a result or our error for any text, and whatever stands in a field", () => {
    const places = [...pathsOf(result)];
    const changed = fc.tuple(fc.constantFrom(...places), fc.jsonValue()).map(([path, value]) => {
      const copy = structuredClone(result);
      const parent = path.slice(0, -1).reduce<unknown>(child, copy);
      (parent as Record<string, unknown>)[path.at(-1)!] = value;
      return JSON.stringify(copy);
    });
    let read = 0;
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), changed), (text) => {
        try {
          parseResult(text, "x");
          read++;
        } catch (thrown) {
          assert.ok(thrown instanceof KeylessError && thrown.code === "FILE_READ", String(thrown));
        }
      }),
      { numRuns: 500 },
    );
    assert.ok(read > 0);
  });
});

test("histograms of several runs add up to those of one", () => {
  const parts = [microsecondsTo(100), microsecondsTo(1_000)];
  const together = createHistogram();
  for (const latencies of parts) {
    const { operations } = parseResult(JSON.stringify(makeResult([{ latencies }])), "x");
    together.add(decodeHistogram(operations[0]!.latencyNs));
  }
  const whole = new MeasuredRun(makeResult([{ latencies: parts.flat() }])).latencyOfAll();
  assert.equal(encodeHistogram(together), encodeHistogram(whole));
  assert.equal(together.totalCount, 1_100);
});

function child(parent: unknown, name: string): unknown {
  return (parent as Record<string, unknown>)[name];
}

/** Where something stands, at every depth. */
function* pathsOf(value: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  if (path.length > 0) yield path;
  if (typeof value !== "object" || value === null) return;
  for (const [name, inner] of Object.entries(value)) yield* pathsOf(inner, [...path, name]);
}
