import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { summaryText } from "../../../cli/bench/summary.ts";
import { makeResult, makeRun, microsecondsTo } from "../../support/bench_result.ts";

/** The line that begins with a name, as its cells. */
function cellsOf(text: string, name: string): readonly string[] {
  const line = text.split("\n").find((each) => each.startsWith(`${name}  `));
  assert.ok(line !== undefined, `no line of ${name} in:\n${text}`);
  return line.split(/ {2,}/);
}

describe("the summary of a run", () => {
  test("tells what was run, the rate, the counts, and the latency of each operation", () => {
    const text = summaryText(makeRun([
      { latencies: microsecondsTo(10_000) },
      { name: "ping", latencies: microsecondsTo(100) },
    ]));
    const [load, more, , counts] = text.split("\n");
    assert.equal(
      `${load} ${more?.trim()}`,
      "localhost:2407: 16 connections × 4 in flight, 1 thread, closed loop, 10 s measured",
    );
    assert.equal(counts, "1,010/s right answers, 10,100 sent, 10,100 answered, 0 failed");
    assert.deepEqual(cellsOf(text, "ecdsa-sha256").slice(1), [
      ...["1,000/s", "5 ms", "9 ms", "9.9 ms", "9.99 ms", "10 ms", "10 ms"],
    ]);
    assert.deepEqual(cellsOf(text, "ping").slice(1, 4), ["10/s", "50 µs", "90 µs"]);
    assert.deepEqual(cellsOf(text, "all").slice(1, 3), ["1,010/s", "4.95 ms"]);
    assert.deepEqual(cellsOf(text, "connecting").slice(1, 3), ["2 ms", "2 ms"]);
    assert.match(text, /\nconnections: 16 made, 0 failed\nanswers verified: 1, all right$/);
  });

  test("plots how latency is spread", () => {
    const text = summaryText(makeRun([{ latencies: [150_000, 150_000, 450_000, 1_900_000] }]));
    const plot = /latency of ecdsa-sha256, up to\n([^]*?)\n\n/.exec(text)?.[1] ?? "";
    const bars = new Map(
      plot.split("\n").map((line) => {
        const [, bound = "", bar = "", count = ""] = /^ +(\S+ \S+) (\S*) +(.+)$/.exec(line) ?? [];
        return [bound, { bar, count }];
      }),
    );
    assert.deepEqual(bars.get("150 µs"), { bar: "█".repeat(40), count: "2 (50 %)" });
    assert.deepEqual(bars.get("2 ms"), { bar: "█".repeat(20), count: "1 (25 %)" });
    assert.deepEqual(bars.get("1 ms"), { bar: "", count: "0 (0 %)" });
  });

  test("of an open loop has latency and service time side by side, and how well it was paced", () => {
    const made = [{
      latencies: microsecondsTo(100),
      serviceTimes: microsecondsTo(50),
      dropped: 1_234,
    }];
    const totals = { ...makeResult(made).totals, late: 5 };
    const text = summaryText(makeRun(made, { totals }));
    assert.match(text, /open loop at 1,000\/s/);
    assert.equal(cellsOf(text, "ecdsa-sha256")[4], "99 µs");
    assert.equal(cellsOf(text, "  service time")[4], "50 µs");
    assert.equal(cellsOf(text, "pacer lateness")[1], "5 µs");
    assert.match(text, /^1,234 failed \(92\.5 %\): 1,234 dropped$/m);
    assert.match(text, /schedule: 1,234 dropped .*,\s+5 sent late \(over 1 ms\)/);
  });

  test("counts failures by their code, and tells answers that are wrong", () => {
    const text = summaryText(makeRun([{
      latencies: microsecondsTo(80),
      errors: [
        { wireCode: 1, text: "cryptography error", count: 12 },
        { wireCode: 8, text: "internal error", count: 3 },
      ],
      wrong: 2,
      lost: 3,
      dropped: 25,
    }], {
      transportErrors: [{ code: "CONNECTION_LOST", message: "it ended", count: 2 }],
      verification: { checked: 10, skipped: 4 },
    }));
    const expected = [
      "8/s right answers, 100 sent, 80 answered",
      "45 failed (36 %): 15 error replies, 2 wrong, 3 lost, 25 dropped",
      "  ecdsa-sha256: error 1, cryptography error: 12",
      "  ecdsa-sha256: error 8, internal error: 3",
      "  ecdsa-sha256: answers that do not verify: 2",
      "  CONNECTION_LOST: it ended: 2",
    ];
    assert.deepEqual(text.split("\n").slice(3, 9), expected);
    assert.match(text, /answers verified: 10, 2 wrong; 4 were due but could not be checked/);
  });

  test("says plainly when the client was the bottleneck, and when a run was cut", () => {
    const client = { threads: [], isBottleneck: true, reason: "its thread was busy: --threads 2" };
    const text = summaryText(makeRun([{}], { client, endedEarly: "interrupted" }));
    assert.match(text, /\nended early: interrupted; this is what was measured until then\n/);
    assert.match(
      text,
      /\nThe client was the bottleneck, not the server: its thread was busy: --threads 2$/,
    );
    assert.doesNotMatch(summaryText(makeRun()), /bottleneck|ended early/);
  });

  test("of a run without an answer shows no latency, and no plot", () => {
    const text = summaryText(makeRun([{ latencies: [], lost: 64 }]));
    assert.match(text, /0\/s right answers, 64 sent, 0 answered\n64 failed \(100 %\): 64 lost\n/);
    assert.deepEqual(cellsOf(text, "ecdsa-sha256").slice(1), ["0/s"]);
    assert.doesNotMatch(text, /up to|NaN|Infinity/);
  });

  test("fits a terminal of 80 columns, however much there is to tell", () => {
    const names = ["rsa-pss-sha512", "ecdsa-sha256"];
    const made = names.map((name) => ({
      name,
      latencies: [999_000, 9_990_000, 99_900_000, 3_000_000_000_000],
      serviceTimes: [123_000],
      errors: [{ wireCode: 8, text: "internal error ".repeat(10), count: 1_234_567 }],
      wrong: 1_234_567,
      lost: 1_234_567,
      dropped: 123_456_789,
    }));
    const text = summaryText(makeRun(made, {
      targets: ["key-server-17.some.quite.long.domain.example.com:2407"],
      totals: { ...makeResult(made).totals, ratePerSecond: 123_456, late: 123_456_789 },
      transportErrors: [{ code: "CONNECTION_LOST", message: "word ".repeat(40), count: 9_999 }],
      endedEarly: "nobody listens there ".repeat(5),
      client: { threads: [], isBottleneck: true, reason: "it was busy ".repeat(20) },
    }));
    for (const line of text.split("\n")) assert.ok(line.length <= 80, line);
    assert.match(text, /rsa-pss-sha512/);
  });

  test("shows names from outside as what they are", () => {
    const text = summaryText(makeRun([{}], {
      targets: ["evil\u001b[2J\u202e:2407"],
      transportErrors: [{ code: "CONNECT", message: "a\nb\u0007", count: 1 }],
      endedEarly: "\u001b]0;owned\u0007",
    }));
    assert.match(text, /^evil\\u\{1b\}\[2J\\u\{202e\}:2407: /);
    assert.match(text, /CONNECT: a\\u\{a\}b\\u\{7\}: 1/);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u202e]/);
  });
});
