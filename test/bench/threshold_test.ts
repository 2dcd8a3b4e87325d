import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  checkOperation,
  judge,
  parseThreshold,
  type Threshold,
} from "../../src/bench/threshold.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { makeRun, microsecondsTo } from "../support/bench_result.ts";

describe("parseThreshold", () => {
  test("reads a measure, a comparison and a value in the measure's unit", () => {
    const read = (text: string) => {
      const { measure, comparator, bound } = parseThreshold(text);
      return [measure.operation, measure.kind, comparator, bound];
    };
    assert.deepEqual(read("p99<5ms"), [undefined, "percentile", "<", 5_000_000]);
    assert.deepEqual(read("max<=1s500ms"), [undefined, "max", "<=", 1_500_000_000]);
    assert.deepEqual(read("mean < 250us"), [undefined, "mean", "<", 250_000]);
    assert.deepEqual(read("rate>10000"), [undefined, "rate", ">", 10_000]);
    assert.deepEqual(read(" rate >= 0.5 "), [undefined, "rate", ">=", 0.5]);
    assert.deepEqual(read("errors<0.1%"), [undefined, "errorShare", "<", 0.001]);
    assert.deepEqual(read("errors<=0"), [undefined, "errorCount", "<=", 0]);
    assert.deepEqual(read("rsa-sha256.p99.9<2ms"), ["rsa-sha256", "percentile", "<", 2_000_000]);
  });

  const refused: readonly [text: string, message: RegExp][] = [
    ["", /threshold "" is none; write a measure, < or >, and a value, like 'p99<5ms'/],
    ["p99", /is none/],
    ["p99=5ms", /is none/],
    ["p99<5ms<6ms", /is none/],
    ["<5ms", /is none/],
    ["p99<", /is none/],
    ["p101<5ms", /is of "p101", which is not measured; give p50 to p99\.99, mean, max, rate or/],
    ["latency<5ms", /is of "latency", which is not measured/],
    ["p99<fast", /threshold "p99<fast": duration "fast" is none; write numbers with units/],
    ["p99<-5ms", /is negative/],
    ["p99<5%", /duration "5%" is none/],
    ["rate>10k", /has "10k" for a value; write a number a second, like 10000/],
    ["rate>1e4", /has "1e4" for a value/],
    ["errors<5ms", /has "5ms" for a value; write a share like 0\.1%, or a number/],
    ["errors<%", /has "%" for a value/],
    ["errors<-1", /has "-1" for a value/],
    ["\u001b[2J<\u202e1", /threshold "\\u\{1b\}\[2J<\\u\{202e\}1" is of "\\u\{1b\}\[2J"/],
  ];
  for (const [text, message] of refused) {
    test(`refuses ${JSON.stringify(text)} and says what to write`, () => {
      assert.throws(() => parseThreshold(text), (thrown) => {
        assert.ok(thrown instanceof KeylessError);
        assert.equal(thrown.code, "USAGE");
        assert.match(thrown.message, message);
        return true;
      });
    });
  }

  test("gives a threshold or a usage error for any text", () => {
    const part = fc.constantFrom(
      "p99",
      "p",
      "errors",
      "rate",
      "<",
      ">=",
      ".",
      "5ms",
      "%",
      "1",
      " ",
    );
    const texts = fc.oneof(
      fc.string(),
      fc.array(part, { maxLength: 8 }).map((all) => all.join("")),
      fc.tuple(fc.constantFrom("p99", "ping.max"), fc.constantFrom("<", ">="), fc.nat())
        .map(([measure, sign, bound]) => `${measure}${sign}${bound}ms`),
    );
    let read = 0;
    fc.assert(
      fc.property(texts, (text) => {
        try {
          const { bound } = parseThreshold(text);
          assert.ok(Number.isFinite(bound) && bound >= 0);
          read++;
        } catch (thrown) {
          assert.ok(thrown instanceof KeylessError && thrown.code === "USAGE", String(thrown));
        }
      }),
      { numRuns: 2_000 },
    );
    assert.ok(read > 0);
  });
});

describe("judge", () => {
  const run = makeRun([{ latencies: microsecondsTo(1_000) }]);
  const holds = (text: string) => judge([parseThreshold(text)], run)[0]!.holds;

  test("tells which thresholds hold, in their order, and what was measured", () => {
    const verdicts = judge(["p99<1ms", "p99<900us", "rate>100"].map(parseThreshold), run);
    assert.deepEqual(verdicts.map((verdict) => verdict.holds), [true, false, false]);
    const [first, , last] = verdicts.map(({ measured }) => measured!);
    assert.ok(Math.abs(first! / 990_000 - 1) < 0.001);
    assert.equal(last, 100);
  });

  test("compares as it says, at the bound and beside it", () => {
    const outcomes = ["rate>99.9", "rate>100", "rate>=100", "rate<=100", "rate<100", "rate<100.1"];
    assert.deepEqual(outcomes.map(holds), [true, false, true, true, false, true]);
  });

  test("takes what was not measured for broken", () => {
    const silent = makeRun([{ latencies: [] }]);
    const verdicts = judge(["p99<1h", "errors<100%", "max>0s"].map(parseThreshold), silent);
    assert.deepEqual(verdicts.map((verdict) => verdict.holds), [false, false, false]);
    assert.deepEqual(verdicts.map(({ measured }) => measured), [undefined, undefined, undefined]);
  });

  test("of two bounds the wider one holds whenever the narrower one does", () => {
    const bound = fc.integer({ min: 0, max: 2_000_000 });
    const percentile = fc.constantFrom("p1", "p50", "p99", "mean", "max");
    fc.assert(fc.property(percentile, bound, bound, (name, a, b) => {
      const [narrow, wide] = [Math.min(a, b), Math.max(a, b)];
      const [isNarrow, isWide] = [holds(`${name}<${narrow}ns`), holds(`${name}<${wide}ns`)];
      assert.ok(!isNarrow || isWide);
      assert.notEqual(holds(`${name}>=${a}ns`), holds(`${name}<${a}ns`));
    }));
  });
});

test("a threshold for an operation that is not asked for is refused, with those that are", () => {
  const names = ["ping", "ecdsa-sha256"];
  const check = (text: string) => checkOperation(parseThreshold(text) satisfies Threshold, names);
  check("p99<5ms");
  check("ecdsa-sha256.p99<5ms");
  assert.throws(
    () => check("rsa-sha256.p99<5ms"),
    /"rsa-sha256", which this run does not do; it does ping, ecdsa-sha256/,
  );
});
