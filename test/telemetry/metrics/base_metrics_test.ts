import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { hostname } from "node:os";
import { describe, test } from "node:test";
import { WIRE_ERRORS } from "../../../src/protocol/errors.ts";
import { OPCODES } from "../../../src/protocol/opcodes.ts";
import { BaseMetrics } from "../../../src/telemetry/metrics/base_metrics.ts";
import { BASE_METRICS } from "../../../src/telemetry/metrics/base_table.ts";
import { renderMetrics } from "../../../src/telemetry/metrics/render.ts";
import { METRICS } from "../../../src/telemetry/metrics/table.ts";
import { MainMetrics } from "../../../src/telemetry/main_metrics.ts";
import { RequestTimes } from "../../../src/telemetry/request_times.ts";
import { type RefusedOutcome, ServerMetrics } from "../../../src/telemetry/server_metrics.ts";
import { parseSamples, sampleValue } from "../../support/metrics.ts";

/** Source: ghostunnel's metrics page, "Metric Names". */
const GHOSTUNNEL = {
  "conn.open": "gauge",
  "conn.timeout": "counter",
  "accept.total": "counter",
  "accept.success": "counter",
  "accept.error": "counter",
  "accept.timeout": "counter",
  "conn.handshake": "timer",
  "conn.lifetime": "timer",
} as const;

/** The same page, "JSON format". */
const JSON_PARTS = [
  ...["count", "min", "max", "mean"],
  ...["50-percentile", "75-percentile", "95-percentile", "99-percentile"],
];

/** The same page, "Prometheus format"; beside them `_timer_bucket` and `_timer_count`. */
const PROMETHEUS_PARTS = [
  ...["count", "sum", "min", "max", "mean", "std_dev", "variance"],
  ...["rate1", "rate5", "rate15", "rate_mean"],
];

describe("the base metrics", () => {
  test("are ghostunnel's, in its order and of its types, and five more", () => {
    const types = Object.entries(BASE_METRICS).map(([name, { type }]) => [name, type]);
    assert.deepEqual(types.slice(0, 8), Object.entries(GHOSTUNNEL));
    assert.deepEqual(types.slice(8).map(([name]) => name), [
      "request.total",
      "request.error",
      "request.inflight",
      "request.waiting",
      "key.count",
    ]);
  });

  test("count what the server's metrics were told", () => {
    const main = new MainMetrics();
    const metrics = new ServerMetrics(main);
    metrics.watchServer(() => ({
      handshaking: 2,
      established: 3,
      maxConnections: 10,
      inFlight: 4,
      oldestInFlightMs: 1,
      waiting: 5,
      oldestWaitingMs: 1,
      unsentBytes: 0,
    }));
    main.watchStores(() => [
      { store: "file", keys: { "RSA 2048": 6, "EC P-256": 1 }, failures: 1 },
      { store: "other", keys: { "EC P-256": 2 }, failures: 0 },
    ]);
    for (let i = 0; i < 3; i++) {
      metrics.established({ handshakeMs: 7, certificates: [], listener: "x" }, "TLSv1.3");
    }
    const outcomes: RefusedOutcome[] = ["timeout", "timeout", "protocol"];
    for (const outcome of outcomes) metrics.refused(outcome, 7);
    metrics.connectionTimedOut("idle");
    metrics.connectionTimedOut("write");
    metrics.connectionClosed(60_000);
    const times = new RequestTimes(0, 0);
    for (const error of [WIRE_ERRORS.NONE, WIRE_ERRORS.KEY_NOT_FOUND, WIRE_ERRORS.FORMAT]) {
      metrics.received(OPCODES[0].code);
      metrics.executed(times, OPCODES[0].code, error);
    }
    metrics.received(undefined);
    const snapshot = [...metrics.registry.snapshot(), ...main.registry.snapshot()];
    const values = new Map(main.base.values(snapshot).map(({ name, value }) => [name, value]));
    const expected = {
      "conn.open": 5,
      "conn.timeout": 2,
      "accept.total": 6,
      "accept.success": 3,
      "accept.error": 3,
      "accept.timeout": 2,
      "conn.handshake.count": 3,
      "conn.handshake.sum": 21e6,
      "conn.lifetime.count": 1,
      "conn.lifetime.sum": 60e9,
      "request.total": 4,
      "request.error": 2,
      "request.inflight": 4,
      "request.waiting": 5,
      "key.count": 9,
    };
    for (const [name, value] of Object.entries(expected)) {
      assert.equal(values.get(name), value, name);
    }
  });
});

describe("the JSON form", () => {
  test("has every name of ghostunnel's page, with the time, a number and the host", () => {
    const samples = filled().samples([], "edge.keyless", 1_700_000_000);
    const names = samples.map(({ metric }) => metric);
    for (const [name, type] of Object.entries(GHOSTUNNEL)) {
      const parts = type === "timer" ? JSON_PARTS.map((part) => `.${part}`) : [""];
      for (const part of parts) {
        assert.ok(names.includes(`edge.keyless.${name}${part}`), name + part);
      }
    }
    assert.equal(new Set(names).size, names.length);
    for (const { metric, value, ...others } of samples) {
      assert.deepEqual(others, { timestamp: 1_700_000_000, hostname: hostname() });
      assert.ok(Number.isFinite(value), metric);
    }
  });

  test("gives durations in nanoseconds", () => {
    const samples = filled().samples([], "keyless", 0);
    const mean = samples.find(({ metric }) => metric === "keyless.conn.handshake.mean")?.value ?? 0;
    assert.ok(Math.abs(mean - 5e6) < 5e4, String(mean));
  });
});

describe("the Prometheus form", () => {
  test("has the names of ghostunnel's page, with underscores", async () => {
    const samples = parseSamples(await renderMetrics(filled().snapshotsFor([], "edge-1.keyless")));
    for (const [name, type] of Object.entries(GHOSTUNNEL)) {
      const parts = type === "timer" ? PROMETHEUS_PARTS.map((part) => `_${part}`) : [""];
      for (const part of [...parts, ...(type === "timer" ? ["_timer_count"] : [])]) {
        const full = `edge_1_keyless_${name.replace(".", "_")}${part}`;
        assert.ok(Number.isFinite(sampleValue(samples, full)), full);
      }
    }
  });

  test("has timers that are histograms: cumulative, in nanoseconds", async () => {
    const samples = parseSamples(await renderMetrics(filled().snapshotsFor([], "keyless")));
    const buckets = samples.filter(({ name }) => name === "keyless_conn_handshake_timer_bucket");
    const counts = Object.fromEntries(buckets.map(({ labels, value }) => [labels["le"], value]));
    assert.deepEqual([counts["3200000"], counts["6400000"], counts["+Inf"]], [0, 2, 2]);
    assert.equal(sampleValue(samples, "keyless_conn_handshake_timer_sum"), 10e6);
    const bounds = buckets.map(({ labels }) => Number(labels["le"]?.replace("+Inf", "Infinity")));
    assert.deepEqual(bounds, bounds.toSorted((a, b) => a - b));
  });

  test("is what promtool reads; only the names are not as it likes them", async () => {
    const input = await renderMetrics(filled().snapshotsFor([], "edge-1.keyless"));
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
      input,
      encoding: "utf8",
    });
    assert.equal(status, 3, stderr); // 1: it cannot be read
    const remarks = `${stdout}${stderr}`.trimEnd().split("\n");
    assert.deepEqual(remarks.filter((line) => !ABOUT_NAMES.test(line)), []);
  });

  test("shares no name with the metrics page, whatever the prefix", () => {
    const names = filled().snapshotsFor([], "x").map(({ name }) => name.slice(1));
    assert.equal(new Set(names).size, names.length);
    const taken = Object.keys(METRICS).filter((metric) =>
      names.some((name) => metric.endsWith(name) && metric.length > name.length)
    );
    assert.deepEqual(taken, []);
  });
});

/** What promtool's linter says of names that are ghostunnel's. */
const ABOUT_NAMES =
  /^\w+ (?:counter metrics should|non-histogram and non-summary metrics should not) have "\w+" suffix$/;

/** Two handshakes of 5 ms, and a connection of a minute. */
function filled(): BaseMetrics {
  const base = new BaseMetrics();
  base.timers["conn.handshake"].observe(5);
  base.timers["conn.handshake"].observe(5);
  base.timers["conn.lifetime"].observe(60_000);
  return base;
}
