import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  checkAll,
  performanceData,
  readThresholds,
  stateOf,
  type Thresholds,
} from "../../cli/certs/expiry_check.ts";
import type { ExpiryEntry, ExpiryReading } from "../../cli/certs/expiry_entries.ts";
import { whenText } from "../../cli/certs/expiry_text.ts";
import { isCheck, NAGIOS } from "../../cli/certs/nagios.ts";
import { KeylessError } from "../../src/errors/errors.ts";

const DAY_MS = 86_400_000;
const NOW_MS = Date.parse("2030-01-01T00:00:00Z");

/** A certificate that was issued for so many days, and has so many left. */
function entry(daysLeft: number, wholeDays = 100, cn = `in-${daysLeft}`): ExpiryEntry {
  const notAfter = new Date(NOW_MS + daysLeft * DAY_MS);
  const notBefore = new Date(notAfter.getTime() - wholeDays * DAY_MS);
  const empty = new Uint8Array(0);
  return {
    certificate: { subject: `CN=${cn}`, notBefore, notAfter, spki: empty, der: empty },
    labels: {
      source: "a.pem",
      serial_no: "1",
      cn,
      hostnames: "",
      ca: "0",
      server: "1",
      client: "0",
    },
    value: notAfter.getTime() / 1_000,
  };
}

function reading(entries: readonly ExpiryEntry[], failures: readonly string[] = []): ExpiryReading {
  return {
    entries,
    sources: 5,
    readErrors: failures.length,
    failures: failures.map((message) => {
      return { source: "b.pem", error: new KeylessError("FILE_READ", message) };
    }),
    warnings: [],
  };
}

function thresholds(warn?: string, critical?: string): Thresholds {
  const read = readThresholds({
    ...(warn === undefined ? {} : { warn }),
    ...(critical === undefined ? {} : { critical }),
  });
  assert.ok(read !== undefined);
  return read;
}

describe("readThresholds", () => {
  test("nothing given is no check", () => assert.equal(readThresholds({}), undefined));

  test("durations and shares are taken, alone and together", () => {
    for (
      const [warn, critical] of [
        ["30d", "7d"],
        ["7d", "7d"],
        ["720h", undefined],
        [undefined, "1d12h"],
        ["20%", "10%"],
        ["100%", "0%"],
        ["12.5%", "7d"], // of different kinds: which comes first depends on the certificate
        ["1d", "90%"],
      ] as const
    ) {
      assert.equal(thresholds(warn, critical).warn?.text, warn);
    }
  });

  test("other texts, and a critical that comes first, are usage errors", () => {
    for (
      const [flags, says] of [
        [{ warn: "soon" }, /--warn: duration "soon" is none.*20%/],
        [{ critical: "-1d" }, /--critical: duration "-1d" is negative/],
        [{ warn: "" }, /--warn/],
        [{ warn: "101%" }, /--warn is "101%": there are at most 100%/],
        [{ warn: "x%" }, /--warn is "x%"/],
        [{ warn: "30 d" }, /--warn/],
        [{ warn: "7d", critical: "30d" }, /--critical 30d is reached before --warn 7d/],
        [{ warn: "10%", critical: "20%" }, /--critical 20% is reached before --warn 10%/],
        [{ warn: "1000000d" }, /too long/],
      ] as const
    ) {
      assert.throws(() => readThresholds(flags), (thrown) => {
        assert.ok(thrown instanceof KeylessError);
        assert.equal(thrown.code, "USAGE");
        assert.match(thrown.message, says);
        return true;
      });
    }
  });
});

test("any text is a threshold or a usage error", () => {
  const taken = fc.integer({ min: 0, max: 10_000 }).chain((n) =>
    fc.constantFrom(
      { text: `${n}d`, leftMs: n * DAY_MS },
      { text: `${n}h`, leftMs: n * 3_600_000 },
      { text: `${n % 101}%`, share: (n % 101) / 100 },
      { text: `${n / 100}%`, share: n / 100 / 100 },
    )
  );
  fc.assert(fc.property(taken, (expected) => {
    assert.deepEqual(readThresholds({ warn: expected.text }), {
      warn: expected,
      critical: undefined,
    });
  }));
  const units = fc.constantFrom("%", "d", "h", "s", "%%", " %", "", "-", ".", "e1%");
  const some = fc.tuple(fc.oneof(fc.integer().map(String), fc.double().map(String)), units);
  const text = fc.oneof(some.map((parts) => parts.join("")), fc.string({ unit: "binary" }));
  fc.assert(fc.property(text, (warn) => {
    try {
      const threshold = readThresholds({ warn })?.warn;
      assert.ok(threshold !== undefined);
      if ("share" in threshold) assert.ok(threshold.share >= 0 && threshold.share <= 1);
      else assert.ok(threshold.leftMs >= 0 && Number.isFinite(threshold.leftMs));
    } catch (thrown) {
      assert.ok(thrown instanceof KeylessError, String(thrown));
      assert.equal(thrown.code, "USAGE");
    }
  }));
});

test("of two thresholds of a kind, the critical one is never the greater", () => {
  const amount = fc.integer({ min: 0, max: 100 });
  fc.assert(fc.property(amount, amount, fc.constantFrom("d", "%"), (warn, critical, unit) => {
    const read = () => readThresholds({ warn: `${warn}${unit}`, critical: `${critical}${unit}` });
    if (critical > warn) assert.throws(read, /exchange the two/);
    else assert.equal(read()?.critical?.text, `${critical}${unit}`);
  }));
});

describe("stateOf", () => {
  const second = 1 / 86_400;

  test("each state begins exactly below its threshold", () => {
    for (
      const [daysLeft, warn, critical, state] of [
        [30, "30d", "7d", "OK"],
        [30 - second, "30d", "7d", "WARNING"],
        [7, "30d", "7d", "WARNING"],
        [7 - second, "30d", "7d", "CRITICAL"],
        [20, "20%", "10%", "OK"],
        [20 - second, "20%", "10%", "WARNING"],
        [10, "20%", "10%", "WARNING"],
        [10 - second, "20%", "10%", "CRITICAL"],
        [6, "10%", "7d", "CRITICAL"],
        [8, "10%", "7d", "WARNING"],
        [second, "0s", undefined, "OK"],
        [5, undefined, "7d", "CRITICAL"],
        [8, undefined, "7d", "OK"],
        // what has expired is critical, whatever the thresholds
        [0, "30d", undefined, "CRITICAL"],
        [-1, "0%", undefined, "CRITICAL"],
        [-1, undefined, "0s", "CRITICAL"],
      ] as const
    ) {
      const found = stateOf(entry(daysLeft), thresholds(warn, critical), NOW_MS);
      assert.equal(found, state, `${daysLeft} days left, --warn ${warn} --critical ${critical}`);
    }
  });
});

describe("checkAll", () => {
  const both = () => thresholds("30d", "7d");
  const summaryOf = (
    entries: readonly ExpiryEntry[],
    failures?: readonly string[],
    given = both(),
  ) => checkAll(reading(entries, failures), given, NOW_MS).summary;

  test("one line says the worst first, with names and sources", () => {
    for (
      const [daysLeft, summary] of [
        [[90], "OK: 1 certificate: in-90 in 90 days (a.pem)"],
        [[90, 83], "OK: 2 certificates, the first of them: in-83 in 83 days (a.pem)"],
        [
          [90, 3],
          "CRITICAL: 1 of 2 certificates expires within 7d: in-3 in 3 days (a.pem)",
        ],
        [
          [90, 5, 3, 20],
          "CRITICAL: 2 of 4 certificates expire within 7d: in-3 in 3 days (a.pem), " +
          "in-5 in 5 days (a.pem); 1 of 4 certificates expires within 30d: in-20 in 20 days (a.pem)",
        ],
        [[20], "WARNING: 1 of 1 certificate expires within 30d: in-20 in 20 days (a.pem)"],
        [[-2, 90], "CRITICAL: 1 of 2 certificates has expired: in--2 2 days ago (a.pem)"],
        [
          [-2, 3],
          "CRITICAL: 2 of 2 certificates have expired or expire within 7d: " +
          "in--2 2 days ago (a.pem), in-3 in 3 days (a.pem)",
        ],
        [
          [1, 2, 3, 4, 5],
          "CRITICAL: 5 of 5 certificates expire within 7d: in-1 in 1 day (a.pem), " +
          "in-2 in 2 days (a.pem), in-3 in 3 days (a.pem), and 2 more",
        ],
      ] as const
    ) {
      assert.equal(summaryOf(daysLeft.map((days) => entry(days))), summary);
    }
  });

  test("what cannot be read makes it UNKNOWN, and the rest is still said", () => {
    assert.equal(
      summaryOf([entry(3)], ["b.pem cannot be read: gone\nfor good", "c.pem too"]),
      "UNKNOWN: 2 of 5 sources cannot be read: b.pem cannot be read: gone; " +
        "1 of 1 certificate expires within 7d: in-3 in 3 days (a.pem)",
    );
    assert.equal(summaryOf([], ["b.pem: no"]), "UNKNOWN: 1 of 5 sources cannot be read: b.pem: no");
    const error = new KeylessError("FILE_WRITE", "--textfile x cannot be written: no space");
    assert.deepEqual(checkAll(reading([entry(90)]), both(), NOW_MS, error), {
      state: "UNKNOWN",
      summary: "UNKNOWN: --textfile x cannot be written: no space; " +
        "1 certificate: in-90 in 90 days (a.pem)",
    });
  });

  test("no name begins performance data or another line", () => {
    const hostile = summaryOf([entry(3, 100, "a|b=1\\u{a}c")]);
    assert.doesNotMatch(hostile, /[|\n]/);
    assert.match(hostile, /a\\u\{7c\}b=1/);
  });
});

test("performance data are the days of the first, with the thresholds that are durations", () => {
  const data = (entries: readonly ExpiryEntry[], warn?: string, critical?: string) =>
    performanceData(reading(entries, ["b.pem: no"]), thresholds(warn, critical), NOW_MS);
  assert.equal(
    data([entry(90), entry(3.5)], "30d", "7d"),
    "days_left=3.5;30:;7: certificates=2 read_errors=1",
  );
  assert.equal(data([entry(-1)], "20%"), "days_left=-1;; certificates=1 read_errors=1");
  assert.equal(data([], "1d"), "certificates=0 read_errors=1");
});

test("times are whole units of the largest that fits", () => {
  assert.equal(whenText(0), "in 0 seconds");
  assert.equal(whenText(59_999), "in 59 seconds");
  assert.equal(whenText(60_000), "in 1 minute");
  assert.equal(whenText(DAY_MS - 1), "in 23 hours");
  assert.equal(whenText(DAY_MS), "in 1 day");
  assert.equal(whenText(-2 * DAY_MS - 1), "2 days ago");
});

test("a command line is a check where it gives a threshold to certs expiry", () => {
  assert.deepEqual(NAGIOS, { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 });
  const words = (text: string) => isCheck("certs expiry", text.split(" "));
  assert.equal(words("certs expiry --warn 30d a.pem"), true);
  assert.equal(words("certs expiry --critical=7d"), true);
  assert.equal(words("certs expiry a.pem"), false);
  assert.equal(words("certs expiry -- --warn"), false);
  assert.equal(words("certs expiry --warned"), false);
  assert.equal(isCheck("certs inspect", ["--warn", "30d"]), false);
});
