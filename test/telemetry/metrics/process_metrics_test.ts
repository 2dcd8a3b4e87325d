import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { ProcessMetrics } from "../../../src/telemetry/metrics/process_metrics.ts";
import { renderMetrics } from "../../../src/telemetry/metrics/render.ts";
import { promtool, withoutPrometheus } from "../../support/prometheus.ts";
import { sampleValue, scrape } from "../../support/metrics.ts";

test("the metrics of the process have no value that is no number, however often they are read", async () => {
  const metrics = new ProcessMetrics();
  for (let i = 0; i < 3; i++) {
    const snapshot = await metrics.snapshot();
    assert.ok(snapshot.every(({ name }) => name.startsWith("process_")));
    const values = snapshot.flatMap(({ values }) => values);
    assert.ok(values.length >= 8);
    for (const { value } of values) assert.ok(Number.isFinite(value), JSON.stringify(values));
    assert.doesNotMatch(await renderMetrics(snapshot), /nan/i);
  }
});

test(
  "the metrics of the process are what promtool reads",
  { skip: withoutPrometheus },
  async () => {
    const text = await renderMetrics(await new ProcessMetrics().snapshot());
    const { output } = promtool(["check", "metrics"], { input: text });
    assert.doesNotMatch(output, /error/i);
  },
);

test("CPU time grows with work, and the files of a process are counted", async () => {
  const metrics = new ProcessMetrics();
  const begun = process.cpuUsage();
  const used = () => Object.values(process.cpuUsage(begun)).reduce((sum, part) => sum + part);
  while (used() < 50_000);
  const samples = await scrape(await metrics.snapshot());
  const seconds = sampleValue(samples, "process_cpu_seconds_total");
  assert.ok(seconds >= 0.03 && seconds < 60, `${seconds} s`);
  assert.ok(sampleValue(samples, "process_open_fds") > 2);
  assert.ok(sampleValue(samples, "process_resident_memory_bytes") > 1e7);
});
