import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { atLeast, atMost, milliseconds, perSecond, told } from "../../scripts/bench/checks.ts";
import type { Outcome } from "../../scripts/bench/laboratory.ts";
import {
  failed,
  jsonOf,
  markdownOf,
  missed,
  type Report,
  textOf,
  writeBetweenMarks,
} from "../../scripts/bench/report.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const PAGE = new URL("../../docs/performance.md", import.meta.url);

const figures = {
  ratePerSecond: 51_234.4,
  cpuMicroseconds: 28.34,
  p50Ms: 0.512,
  failedShare: 0.001,
};
const measured: Outcome = {
  measurement: { name: "P-256", section: "operations", runs: [], checks: () => [] },
  rows: [
    { name: "P-256", figures, rounds: [figures, figures] },
    { name: "openssl", figures: { ratePerSecond: 50_000 }, rounds: [] },
  ],
  checks: [
    atLeast("rate", 51_234.4, 60_000, perSecond),
    atMost("cost", 1.499, 1.5),
    told("p50", 0.512, milliseconds),
  ],
  failure: undefined,
};
const broken: Outcome = { ...measured, rows: [], checks: [], failure: "no server" };

const report: Report = {
  machine: {
    date: "2026-01-31T12:00:00.000Z",
    cores: 2,
    cpuModel: "A CPU",
    system: "Linux 6.1",
    keyless: "keyless 0.1.0",
    openssl: "OpenSSL 3.0.0",
    loadAverage: 0.123,
  },
  effort: { warmup: 5, seconds: 3, rounds: 2 },
  outcomes: [measured, broken],
};

let directory: TempDir;
before(() => {
  directory = makeTempDir();
});
after(() => directory.remove());

describe("the tables of a measurement", () => {
  test("have a row for each load, and one for each thing to be reached", () => {
    const lines = textOf(report).split("\n");
    assert.equal(lines[0], "2026-01-31T12:00:00.000Z, load average 0.12 before the start");
    assert.deepEqual(lines.slice(5).map((line) => line.split(/ {2,}/)), [
      ["Figures: operations"],
      ["Load", "Rate", "CPU each", "Client CPU", "p50", "p99", "Failed", "Memory"],
      ["P-256", "51,234/s", "28.3 µs", "–", "0.512 ms", "–", "0.1 %", "–"],
      ["openssl", "50,000/s", "–", "–", "–", "–", "–", "–"],
      [""],
      ["Must reach"],
      ["What", "Measured", "Must reach", "Reached"],
      ["rate", "51,234/s", "at least 60,000/s", "NO"],
      ["cost", "1.50", "at most 1.50", "yes"],
      ["p50", "0.512 ms", "–", "–"],
    ]);
    assert.deepEqual(missed(report).map(({ what }) => what), ["rate"]);
    assert.deepEqual(failed(report), [broken]);
  });

  test("are the same in Markdown", () => {
    const text = markdownOf(report);
    assert.match(text, /^- 2026-01-31T12:00:00\.000Z, load average/);
    assert.match(
      text,
      /\n### Must reach\n\n\| What \| Measured .*\n\| --- \| --- \| --- \| --- \|\n/,
    );
    assert.match(text, /\n\| rate \| 51,234\/s \| at least 60,000\/s \| NO \|\n/);
  });

  test("are in the document with the figures of each round", () => {
    const { machine, measurements } = JSON.parse(jsonOf(report));
    assert.equal(machine.cores, 2);
    assert.equal(measurements[0].rows[0].rounds.length, 2);
    assert.deepEqual(measurements.map(({ failure }: Outcome) => failure), [null, "no server"]);
  });
});

describe("docs/performance.md", () => {
  test("takes new tables in the place of old ones, and nothing else changes", () => {
    const before = readFileSync(PAGE, "utf8");
    const copy = directory.write("performance.md", before);
    writeBetweenMarks(copy, "tables of an older run");
    writeBetweenMarks(copy, markdownOf(report));
    const after = readFileSync(copy, "utf8");
    const marks = /(<!-- figures.*?-->\n)[^]*(<!-- end of figures -->)/;
    assert.equal(after.replace(marks, "$1$2"), before.replace(marks, "$1$2"));
    assert.match(after, /\| rate \| 51,234\/s \|/);
    assert.doesNotMatch(after, /older run/);
  });

  test("is refused where it has lost its marks", () => {
    const copy = directory.write("other.md", "# Performance\n");
    assert.throws(() => writeBetweenMarks(copy, "tables"), /has no lines <!-- figures/);
  });
});
