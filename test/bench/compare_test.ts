import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  checkComparable,
  differencesOf,
  judgeChange,
  parseComparisonRule,
} from "../../src/bench/compare.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { makeRun, microsecondsTo } from "../support/bench_result.ts";

const fast = makeRun([{ latencies: microsecondsTo(1_000) }]);
const slow = makeRun([{ latencies: microsecondsTo(1_000).map((each) => each * 1.2), lost: 10 }]);

describe("parseComparisonRule", () => {
  test("reads a measure, a direction and a signed percentage", () => {
    const read = (text: string) => {
      const { measure, comparator, bound } = parseComparisonRule(text);
      return [measure.operation, measure.kind, comparator, bound];
    };
    assert.deepEqual(read("p99>+10%"), [undefined, "percentile", ">", 0.1]);
    assert.deepEqual(read("rate<-5%"), [undefined, "rate", "<", -0.05]);
    assert.deepEqual(read("errors > 0%"), [undefined, "errorShare", ">", 0]);
    assert.deepEqual(read("ping.max>2.5%"), ["ping", "max", ">", 0.025]);
  });

  test("refuses other text and says what to write", () => {
    for (const text of ["", "p99", "p99>10", "p99>=10%", "p99>+-10%", "p99>1ms", "p99>%"]) {
      assert.throws(
        () => parseComparisonRule(text),
        /^KeylessError: --fail-on ".*" is no rule; write a measure, < or >, and a signed/,
        text,
      );
    }
    assert.throws(
      () => parseComparisonRule("speed>1%"),
      /"speed", which is not measured; give p50/,
    );
  });

  test("gives a rule or a usage error for any text", () => {
    const near = fc.tuple(
      fc.constantFrom("p99", "rate", "ping.errors", "p", ""),
      fc.constantFrom("<", ">", "=", " > "),
      fc.constantFrom("+", "-", "", "+-"),
      fc.oneof(fc.float().map(String), fc.nat().map(String)),
      fc.constantFrom("%", "", "% "),
    );
    const texts = fc.oneof(fc.string(), near.map((parts) => parts.join("")));
    let read = 0;
    fc.assert(
      fc.property(texts, (text) => {
        try {
          assert.ok(Number.isFinite(parseComparisonRule(text).bound));
          read++;
        } catch (thrown) {
          assert.ok(thrown instanceof KeylessError && thrown.code === "USAGE", String(thrown));
        }
      }),
      { numRuns: 1_000 },
    );
    assert.ok(read > 0);
  });
});

describe("judgeChange", () => {
  const broken = (text: string, before = fast, after = slow) =>
    judgeChange([parseComparisonRule(text)], before, after)[0]!.isBroken;

  test("breaks a rule where the change goes beyond it", () => {
    assert.deepEqual(["p99>+19%", "p99>+21%"].map((rule) => broken(rule)), [true, false]);
    assert.deepEqual(["mean<-10%", "p50<+21%"].map((rule) => broken(rule)), [false, true]);
    assert.equal(broken("p99<-15%", slow, fast), true);
  });

  test("breaks nothing where two runs measured the same", () => {
    for (const name of ["rate", "errors", "mean", "p50", "p99.99", "max"]) {
      assert.equal(broken(`${name}>0%`, fast, fast), false, name);
      assert.equal(broken(`${name}<0%`, fast, fast), false, name);
    }
  });

  test("tells a change of errors in points, for it often starts at none", () => {
    const [verdict] = judgeChange([parseComparisonRule("errors>+0.5%")], fast, slow);
    assert.equal(verdict!.isBroken, true);
    assert.equal(verdict!.difference.change, 10 / 1_010);
    assert.equal(broken("errors>+1%"), false);
  });

  test("takes a change that cannot be told for a failure", () => {
    const silent = makeRun([{ latencies: [] }]);
    assert.equal(broken("p99>+1000%", silent, fast), true);
    assert.equal(broken("p99>+1000%", fast, silent), true);
    assert.equal(broken("rate>+1000%", silent, fast), true);
  });
});

describe("differencesOf", () => {
  test("tells a run's measures before and after, and of each operation where there are several", () => {
    const both = makeRun([{ name: "ping" }, { name: "rsa-sha256" }]);
    const names = differencesOf(both, both).map(({ measure: { operation, name } }) =>
      operation === undefined ? name : `${operation}.${name}`
    );
    const own = ["rate", "errors", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"];
    assert.deepEqual(names, [
      ...own,
      ...own.map((name) => `ping.${name}`),
      ...own.map((name) => `rsa-sha256.${name}`),
    ]);
    assert.deepEqual(differencesOf(fast, slow).map(({ measure }) => measure.name), own);
  });

  test("is the same the other way round, with the sign turned", () => {
    const there = differencesOf(fast, slow);
    const back = differencesOf(slow, fast);
    for (const [at, { measure: { kind }, change }] of there.entries()) {
      const other = back[at]!.change!;
      if (kind === "errorShare") assert.equal(change, -other);
      else assert.ok(Math.abs((1 + change!) * (1 + other) - 1) < 1e-9);
    }
  });
});

describe("checkComparable", () => {
  const mixed = makeRun([{ name: "ping" }, { name: "rsa-sha256" }]);
  const turned = makeRun([{ name: "rsa-sha256" }, { name: "ping" }]);

  test("lets runs of the same operations pass, in whatever order", () => {
    checkComparable(mixed, turned, [parseComparisonRule("ping.p99>1%")]);
  });

  test("refuses runs of different operations, and names them", () => {
    assert.throws(
      () => checkComparable(fast, mixed, []),
      /did not do the same operations \(ecdsa-sha256; ping, rsa-sha256\); compare two runs of the/,
    );
  });

  test("refuses a rule for an operation that the runs did not do", () => {
    assert.throws(
      () => checkComparable(mixed, turned, [parseComparisonRule("ecdsa-sha256.p99>1%")]),
      /"ecdsa-sha256", which the runs did not do; they did ping, rsa-sha256/,
    );
  });
});
