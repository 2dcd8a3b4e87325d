import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { plotData } from "../../../cli/bench/html_plot_data.ts";
import { htmlReport } from "../../../cli/bench/html_report.ts";
import { makeRun, microsecondsTo } from "../../support/bench_result.ts";

describe("the HTML report", () => {
  const page = htmlReport(makeRun([{ latencies: microsecondsTo(1_000) }]), []);

  test("allows the two scripts and the style that it holds, by their hashes, and nothing else", () => {
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1] ?? "";
    const rules = new Map(
      policy.replaceAll("&#39;", "'").split("; ").map((rule) => {
        const [name = "", ...sources] = rule.split(" ");
        return [name, sources];
      }),
    );
    const hashes = (pattern: RegExp) =>
      Array.from(
        page.matchAll(pattern),
        ([, text = ""]) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`,
      );
    assert.deepEqual(Object.fromEntries(rules), {
      "default-src": ["'none'"],
      "script-src": hashes(/<script>([^]*?)<\/script>/g),
      "style-src": hashes(/<style>([^]*?)<\/style>/g),
      "base-uri": ["'none'"],
      "form-action": ["'none'"],
    });
    assert.equal(rules.get("script-src")?.length, 2);
  });

  test("refers to nothing outside itself", () => {
    assert.doesNotMatch(page, /<(?:link|img|iframe|base|form)\b|\bsrc=|@import|url\(/);
  });

  test("escapes every name, in its text and in its data", () => {
    const evil = `</script><script>alert("x")</script>'\u202e\u0007`;
    const hostile = htmlReport(
      makeRun(
        [{ name: evil, latencies: [1_000], errors: [{ wireCode: 1, text: evil, count: 1 }] }],
        {
          targets: [evil],
          endedEarly: evil,
          started: evil,
          tool: { version: evil, runtime: evil, platform: evil, cpuModel: evil, cores: 1 },
          transportErrors: [{ code: evil, message: evil, count: 1 }],
          client: { threads: [], isBottleneck: true, reason: evil },
        },
      ),
      [],
    );
    assert.equal(hostile.match(/<script/g)?.length, 3);
    assert.equal(hostile.match(/<\/script>/g)?.length, 3);
    assert.doesNotMatch(hostile, /alert\("x"\)/);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(hostile, /[\u202e\u0007]/);
  });
});

describe("the data of its plots", () => {
  test("has latency by how rare it is, up to the number of answers", () => {
    const { rarities, lines } = plotData(makeRun([
      { latencies: microsecondsTo(10_000) },
      { name: "ping", latencies: microsecondsTo(100), serviceTimes: microsecondsTo(10) },
    ]));
    assert.deepEqual(lines.map(({ name }) => name), [
      "ecdsa-sha256",
      "ping",
      "ping service time",
    ]);
    assert.equal(rarities[0], 1);
    assert.ok(Math.abs(rarities.at(-1)! - 10_000) < 1e-6);
    for (const [at, rarity] of rarities.entries()) {
      const exact = Math.max(0.001, 10 * (1 - 1 / rarity));
      const value = lines[0]!.values[at];
      assert.ok(typeof value === "number" && Math.abs(value - exact) <= exact * 0.001 + 0.001);
      assert.equal(lines[1]!.values[at] === null, rarity > 100.0001, String(rarity));
    }
  });

  test("has the end of each second, and nothing for latency where there was no answer", () => {
    const row = {
      atSeconds: 2,
      spanSeconds: 0.5,
      answered: 0,
      ratePerSecond: 0,
      errors: 3,
      p50Ns: 0,
      p99Ns: 0,
    };
    const { seconds, rates, errors, p50, p99 } = plotData(makeRun([{}], { series: [row] }));
    assert.deepEqual([seconds, rates, errors, p50, p99], [[2.5], [0], [6], [null], [null]]);
  });
});
