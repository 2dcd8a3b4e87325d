import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createLiveDisplay, sparkline } from "../../../cli/bench/live_display.ts";
import type { LiveSecond } from "../../../src/bench/second_sum.ts";

function record(isTTY: boolean, columns?: number) {
  return {
    isTTY,
    columns,
    text: "",
    write(text: string): void {
      this.text += text;
    },
  };
}

function second(atSeconds: number, changes: Partial<LiveSecond> = {}): LiveSecond {
  return {
    phase: "measure",
    atSeconds,
    spanSeconds: 1,
    answered: 1_000,
    ratePerSecond: 1_000,
    errors: 0,
    p50Ns: 98_000,
    p99Ns: 412_000,
    ...changes,
  };
}

describe("the live display", () => {
  test("shows each second in one line that is written over, and takes it away", () => {
    const stream = record(true);
    const display = createLiveDisplay(stream, 10);
    display.update(second(0, { phase: "warmup", ratePerSecond: 500, errors: 7 }));
    display.update(second(0));
    display.update(second(1, { ratePerSecond: 2_000, errors: 1 }));
    display.clear();
    display.clear();
    const lines = [
      "\rwarm-up  500/s  0 errors  █\u001b[K",
      "\r1 s of 10 s  1,000/s  p50 98 µs  p99 412 µs  0 errors  ▅█\u001b[K",
      "\r2 s of 10 s  2,000/s  p50 98 µs  p99 412 µs  1 error  ▃▅█\u001b[K",
      "\r\u001b[K",
    ];
    assert.equal(stream.text, lines.join(""));
  });

  test("takes a terminal that does not know its width for one of 80 columns", () => {
    for (const columns of [undefined, 0]) {
      const stream = record(true, columns);
      createLiveDisplay(stream).update(second(0));
      assert.equal(stream.text, "\r1 s  1,000/s  p50 98 µs  p99 412 µs  0 errors  █\u001b[K");
    }
  });

  test("of a second without an answer has no latency to show", () => {
    const stream = record(true);
    createLiveDisplay(stream).update(second(0, { answered: 0, ratePerSecond: 0, errors: 12 }));
    assert.equal(stream.text, "\r1 s  0/s  12 errors  ▁\u001b[K");
  });

  test("never fills a line, so that it is not wrapped", () => {
    for (const columns of [1, 20, 55, 60, 200]) {
      const stream = record(true, columns);
      const display = createLiveDisplay(stream);
      for (let at = 0; at < 100; at++) display.update(second(at, { ratePerSecond: at }));
      const widths = stream.text.split("\r").map((line) => line.replace("\u001b[K", "").length);
      assert.ok(Math.max(...widths) < columns, `${Math.max(...widths)} of ${columns}`);
    }
    const stream = record(true, 80);
    const display = createLiveDisplay(stream);
    for (let at = 0; at < 100; at++) display.update(second(at, { ratePerSecond: at }));
    assert.ok(stream.text.endsWith("█\u001b[K"), "the last rate is what is kept");
  });

  test("writes nothing where there is no terminal", () => {
    const stream = record(false);
    const display = createLiveDisplay(stream, 10);
    display.update(second(0));
    display.clear();
    assert.equal(stream.text, "");
  });
});

test("a sparkline is as high as each number's share of the largest", () => {
  assert.equal(sparkline([0, 1, 2, 3, 4, 5, 6, 7]), "▁▂▃▄▅▆▇█");
  assert.equal(sparkline([0, 0]), "▁▁");
  assert.equal(sparkline([]), "");
});
