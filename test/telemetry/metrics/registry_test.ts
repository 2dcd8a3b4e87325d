import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import promClient from "prom-client";
import { type MetricSnapshot, MetricsRegistry } from "../../../src/telemetry/metrics/registry.ts";
import { renderMetrics } from "../../../src/telemetry/metrics/render.ts";
import { BUCKETS, type MetricRow } from "../../../src/telemetry/metrics/table.ts";
import { parseSamples, sampleValue, scrape } from "../../support/metrics.ts";

const TABLE = {
  things_total: { type: "counter", labels: ["kind"], help: "Things." },
  age_seconds: { type: "histogram", labels: [], help: "Ages." },
  sizes: { type: "gauge", join: "sum", labels: ["of"], help: "Sizes." },
  oldest_seconds: { type: "gauge", join: "max", labels: [], help: "The oldest." },
} as const satisfies Record<string, MetricRow>;

function registryWith(kind: string, age: number, size: number): MetricsRegistry<typeof TABLE> {
  const registry = new MetricsRegistry(TABLE);
  registry.counter("things_total").with(kind).add(3);
  registry.histogram("age_seconds").with().observe(age);
  registry.watch(() => size, {
    sizes: (value) => [{ labels: { of: "box" }, value }],
    oldest_seconds: (value) => value,
  });
  return registry;
}

describe("a histogram", () => {
  test("has 15 bounds from 100 µs on, each the double of the one before", () => {
    assert.equal(BUCKETS.length, 15);
    assert.equal(BUCKETS[0], 0.0001);
    assert.equal(BUCKETS[14], 1.6384);
    for (let i = 1; i < 15; i++) assert.equal(BUCKETS[i], BUCKETS[i - 1]! * 2);
  });

  test("counts as prom-client's own histogram does, at the bounds and beside them", async () => {
    const values = [0, ...BUCKETS.flatMap((bound) => [bound, bound * 1.0001]), 1.7, 3_600];
    const registry = new MetricsRegistry(TABLE);
    const ours = registry.histogram("age_seconds").with();
    const register = new promClient.Registry();
    const theirs = new promClient.Histogram({
      name: "age_seconds",
      help: "Ages.",
      buckets: [...BUCKETS],
      registers: [register],
    });
    for (const value of values) {
      ours.observe(value);
      theirs.observe(value);
    }
    assert.equal(await renderMetrics(registry.snapshot()), await register.metrics());
  });

  test("takes a duration below zero, of a clock that was set, for none", async () => {
    const registry = new MetricsRegistry(TABLE);
    registry.histogram("age_seconds").with().observe(-1);
    const samples = await scrape(registry.snapshot());
    assert.equal(sampleValue(samples, "age_seconds_sum"), 0);
    assert.equal(sampleValue(samples, "age_seconds_bucket", { le: "0.0001" }), 1);
  });
});

describe("the text format", () => {
  test("is what promtool reads, whatever stands in labels", async () => {
    const hostile = 'a"b\\c\nd{e="f"} 1 # <script>';
    const text = await renderMetrics(registryWith(hostile, 1, 2).snapshot());
    assert.equal(promtool(text), "");
    assert.equal(sampleValue(parseSamples(text), "things_total", { kind: hostile }), 3);
  });

  test("of thousands of series is as of a few: each once, under one heading", async () => {
    const registry = new MetricsRegistry(TABLE);
    const values = Array.from({ length: 1_234 }, (_, value) => ({
      labels: { of: `box ${value}` },
      value,
    }));
    registry.watch(() => values, { sizes: (all) => all });
    const text = await renderMetrics(registry.snapshot());
    assert.equal(text.match(/# HELP/g)?.length, 1);
    assert.deepEqual(parseSamples(text).map(({ value }) => value), values.map((v) => v.value));
  });

  test("has the heading of a metric without series alone", async () => {
    const registry = new MetricsRegistry(TABLE);
    registry.counter("things_total");
    assert.equal(
      await renderMetrics(registry.snapshot()),
      "# HELP things_total Things.\n# TYPE things_total counter\n",
    );
  });
});

describe("OpenMetrics", () => {
  test("names counters without _total and their samples with it, and ends in EOF", async () => {
    const text = await renderMetrics(registryWith("a", 1, 2).snapshot(), "openmetrics");
    assert.match(text, /^# TYPE things counter$/m);
    assert.match(text, /^things_total\{kind="a"\} 3$/m);
    assert.match(text, /\n# EOF\n$/);
  });

  test("does not change what the text format names afterwards", async () => {
    const registry = registryWith("a", 1, 2);
    const before = await renderMetrics(registry.snapshot());
    await renderMetrics(registry.snapshot(), "openmetrics");
    assert.equal(await renderMetrics(registry.snapshot()), before);
  });

  test("has of two counters that it gives one name the first alone", async () => {
    const snapshot: MetricSnapshot[] = ["failed", "failed_total"].map((name) => ({
      name,
      help: "Failed.",
      type: "counter",
      aggregator: "sum",
      values: [{ labels: {}, value: 1 }],
    }));
    const text = await renderMetrics(snapshot, "openmetrics");
    assert.equal(text.match(/^failed_total 1$/gm)?.length, 1);
  });
});

test("several workers' metrics are joined as their rows say: sums, or the largest", async () => {
  const workers = [registryWith("a", 1, 10), registryWith("a", 1, 4), registryWith("b", 1, 5)];
  const joined = promClient.AggregatorRegistry.aggregate(
    workers.map((registry) => registry.snapshot()) as never,
  );
  const samples = parseSamples(await joined.metrics());
  assert.equal(sampleValue(samples, "things_total", { kind: "a" }), 6);
  assert.equal(sampleValue(samples, "things_total", { kind: "b" }), 3);
  assert.equal(sampleValue(samples, "age_seconds_count"), 3);
  assert.equal(sampleValue(samples, "sizes"), 19);
  assert.equal(sampleValue(samples, "oldest_seconds"), 10);
});

test("gauges of one group are read once a snapshot: they are of one moment", () => {
  let reads = 0;
  const registry = new MetricsRegistry(TABLE);
  registry.watch(() => ++reads, { sizes: (value) => value, oldest_seconds: (value) => value });
  const values = registry.snapshot().map((metric) => metric.values[0]?.value);
  assert.deepEqual(values, [1, 1]);
});

test("a metric has one source: a second is a defect", () => {
  const registry = new MetricsRegistry(TABLE);
  registry.counter("things_total");
  assert.throws(() => registry.counter("things_total"), /things_total has a source already/);
});

/** What `promtool check metrics` has to say. */
function promtool(text: string): string {
  return execFileSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
}
