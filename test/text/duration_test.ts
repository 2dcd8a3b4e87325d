import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  formatDuration,
  MAX_DURATION_MS,
  MAX_TIMER_MS,
  parseDuration,
} from "../../src/text/duration.ts";
import { KeylessError } from "../../src/errors/errors.ts";

/** Milliseconds as Go's time.ParseDuration has them, where its grammar has the text. */
const ACCEPTED: readonly (readonly [text: string, milliseconds: number])[] = [
  ["300ms", 300],
  ["1.5h", 5_400_000],
  ["2h45m", 9_900_000],
  ["1m30s", 90_000],
  ["1h15m30.918273645s", 4_530_918.273645],
  ["2s", 2_000],
  ["500us", 0.5],
  ["500\u00b5s", 0.5],
  ["500\u03bcs", 0.5],
  ["1ns", 0.000001],
  ["100.5ns", 0.0001],
  ["0", 0],
  ["0s", 0],
  [".5s", 500],
  ["1.s", 1_000],
  ["1d", 86_400_000],
  ["1d12h", 129_600_000],
  ["30", 30_000],
  ["1.5", 1_500],
  [".25", 250],
  ["1m1m", 120_000],
  ["007s", 7_000],
];

const REFUSED: readonly string[] = [
  "",
  " ",
  "s",
  ".s",
  ".",
  "1 s",
  " 1s",
  "1s ",
  "1S",
  "1w",
  "1y",
  "1h30",
  "1e3s",
  "0x1s",
  "1,5s",
  "+1s",
  "1m-30s",
  "\u0661s",
  "1s\n",
  "Infinity",
  "NaN",
  "1".repeat(65),
];

describe("parseDuration", () => {
  for (const [text, milliseconds] of ACCEPTED) {
    test(`reads ${text} as ${milliseconds} ms`, () => {
      assert.equal(parseDuration(text), milliseconds);
    });
  }

  for (const text of REFUSED) {
    test(`refuses ${JSON.stringify(text.slice(0, 20))} and says what a duration looks like`, () => {
      assert.throws(() => parseDuration(text), { code: "CONFIG_VALUE", message: /like 500ms/ });
    });
  }

  for (const text of ["-1s", "-5", "-"]) {
    test(`refuses the negative ${text}`, () => {
      assert.throws(() => parseDuration(text), { code: "CONFIG_VALUE", message: /is negative/ });
    });
  }

  test("accepts what Go can hold, and refuses what it cannot", () => {
    assert.equal(parseDuration("9223372036854ms"), MAX_DURATION_MS);
    for (const text of ["9223372036855ms", "9223372036.8548s", "293000d", "9".repeat(60) + "h"]) {
      assert.throws(() => parseDuration(text), { code: "CONFIG_VALUE", message: /is too long/ });
    }
  });

  test("accepts the longest that a timer waits, and refuses a nanosecond more", () => {
    assert.equal(parseDuration("2147483647ms", MAX_TIMER_MS), MAX_TIMER_MS);
    assert.throws(() => parseDuration("2147483647ms1ns", MAX_TIMER_MS), {
      code: "CONFIG_VALUE",
      message: /is too long; the longest is 24d20h31m23s647ms/,
    });
  });

  test("shows control characters of what it refuses escaped", () => {
    assert.throws(() => parseDuration("\u001b[31m"), (error: Error) => {
      return !error.message.includes("\u001b") && error.message.includes("\\u{1b}");
    });
  });

  test("gives a number within bounds or its own error for any text", () => {
    const texts = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.stringMatching(/^[0-9.\-+dhmnsu]{0,20}$/),
    );
    fc.assert(fc.property(texts, (text) => {
      try {
        const milliseconds = parseDuration(text);
        return milliseconds >= 0 && milliseconds <= MAX_DURATION_MS;
      } catch (error) {
        return error instanceof KeylessError && error.code === "CONFIG_VALUE";
      }
    }));
  });
});

describe("formatDuration", () => {
  for (
    const [milliseconds, text] of [
      [0, "0s"],
      [30_000, "30s"],
      [5_400_000, "1h30m"],
      [1_500, "1s500ms"],
      [0.000001, "1ns"],
      [86_400_000, "1d"],
    ] as const
  ) {
    test(`writes ${milliseconds} ms as ${text}`, () => {
      assert.equal(formatDuration(milliseconds), text);
    });
  }

  test("writes what parseDuration reads back as the same number", () => {
    const nanoseconds = fc.bigInt({ min: 0n, max: 9_223_372_036_854_000_000n });
    fc.assert(fc.property(nanoseconds, (count) => {
      const milliseconds = parseDuration(`${count}ns`);
      assert.equal(parseDuration(formatDuration(milliseconds)), milliseconds);
    }));
    fc.assert(fc.property(fc.nat(MAX_TIMER_MS), (milliseconds) => {
      assert.equal(parseDuration(formatDuration(milliseconds)), milliseconds);
    }));
  });
});
