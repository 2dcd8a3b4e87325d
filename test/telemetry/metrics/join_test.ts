import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as eachTurn } from "node:timers";
import promClient from "prom-client";
import fc from "fast-check";
import { WIRE_ERRORS } from "../../../src/protocol/errors.ts";
import { OPCODES } from "../../../src/protocol/opcodes.ts";
import { joinSnapshots } from "../../../src/telemetry/metrics/join.ts";
import type { MetricSnapshot } from "../../../src/telemetry/metrics/registry.ts";
import { METRICS } from "../../../src/telemetry/metrics/table.ts";
import { MainMetrics } from "../../../src/telemetry/main_metrics.ts";
import { RequestTimes } from "../../../src/telemetry/request_times.ts";
import {
  joinGauges,
  joinSigningGauges,
  type ServerGauges,
  type SigningGauges,
} from "../../../src/telemetry/server_gauges.ts";
import { ServerMetrics } from "../../../src/telemetry/server_metrics.ts";
import { sampleValue, scrape } from "../../support/metrics.ts";

const count = fc.nat({ max: 1_000 });
const serverGauges = fc.record({
  handshaking: count,
  established: count,
  maxConnections: count,
  inFlight: count,
  oldestInFlightMs: count,
  waiting: count,
  oldestWaitingMs: count,
  unsentBytes: count,
});
const signingGauges = fc.record({
  waiting: count,
  oldestMs: count,
  largest: count,
  atThreads: count,
  busy: count,
  threads: count,
  shed: fc.record({ full: count, deadline: count }),
});

/** What a worker with these gauges, and a request answered with this error, has counted. */
function workerWith(server: ServerGauges, signing: SigningGauges, error: string): MetricSnapshot[] {
  const metrics = new ServerMetrics();
  metrics.watchServer(() => server);
  metrics.watchSigning(() => signing);
  const row = Object.values(WIRE_ERRORS).find(({ text }) => text === error)!;
  metrics.received(0x15);
  metrics.executed(new RequestTimes(0, 1), 0x15, row);
  return metrics.registry.snapshot();
}

const workers = fc.array(
  fc.tuple(
    serverGauges,
    signingGauges,
    fc.constantFrom(...Object.values(WIRE_ERRORS).map(({ text }) => text)),
  ),
  { minLength: 1, maxLength: 4 },
);

/** Every sample, by its series. */
function seriesOf(metrics: readonly MetricSnapshot[]): Map<string, number> {
  return new Map(
    metrics.flatMap(({ name, values }) =>
      values.map(({ labels, metricName, value }) => {
        const sorted = Object.entries(labels).toSorted().map(([label, each]) => `${label}=${each}`);
        return [`${metricName ?? name}{${sorted}}`, value];
      })
    ),
  );
}

describe("joined metrics", () => {
  test("are what prom-client makes of all at once, whatever the workers have", async () => {
    await fc.assert(
      fc.asyncProperty(workers, async (found) => {
        const parts = found.map((each) => workerWith(...each));
        const joined = await joinSnapshots(parts);
        const expected = await promClient.AggregatorRegistry.aggregate(parts as never)
          .getMetricsAsJSON() as unknown as MetricSnapshot[];
        assert.deepEqual(seriesOf(joined), seriesOf(expected));
      }),
      { numRuns: 20 },
    );
  });

  test("of gauges are the same numbers that the status page shows", async () => {
    await fc.assert(
      fc.asyncProperty(workers, async (found) => {
        const joined = await joinSnapshots(found.map((each) => workerWith(...each)));
        const metrics = new ServerMetrics();
        metrics.watchServer(() => joinGauges(found.map(([server]) => server)));
        metrics.watchSigning(() => joinSigningGauges(found.map(([, signing]) => signing)));
        const shown = seriesOf(metrics.registry.snapshot().filter(({ name }) => isWatched(name)));
        assert.ok(shown.size > 15);
        assert.deepEqual(seriesOf(joined.filter(({ name }) => isWatched(name))), shown);
      }),
      { numRuns: 20 },
    );
  });

  test("stand in the order of the table, whichever thread has them; others come last", async () => {
    const main = new MainMetrics();
    main.watchThreads(() => ({ workers: 2, deaths: { worker: 0, signing: 0 } }));
    const other = { name: "x", help: "", type: "gauge", aggregator: "sum", values: [] } as const;
    const worker = workerWith(ZERO, NO_SIGNING, "no error");
    const joined = await joinSnapshots([[other], main.registry.snapshot(), worker, worker]);
    const names = joined.map(({ name }) => name);
    const order = Object.keys(METRICS);
    assert.deepEqual(names, [...order.filter((name) => names.includes(name)), "x"]);
    assert.ok(names.indexOf("keyless_workers") > 5);
  });

  test("keep the samples of a histogram's series together, in the order of their buckets", async () => {
    const [one, two] = ["no error", "internal error"].map((error) =>
      workerWith(ZERO, NO_SIGNING, error)
    );
    const joined = await joinSnapshots([one!, two!]);
    const { values } = joined.find(({ name }) => name === EXEC)!;
    const texts = values.map(({ labels }) => JSON.stringify({ ...labels, le: "" }));
    const changes = texts.filter((text, i) => text !== texts[i - 1]);
    assert.equal(new Set(texts).size, changes.length);
    for (const text of changes) {
      const bounds = values.filter((_, i) => texts[i] === text).map(({ labels: { le } }) => le);
      assert.deepEqual(bounds.slice(-3), ["+Inf", undefined, undefined]);
      const numbers = bounds.slice(0, -3).map(Number);
      assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b));
    }
  });

  test("leave what they are joined from as it was", async () => {
    const parts = [1, 2].map(() => workerWith(ZERO, NO_SIGNING, "no error"));
    const before = JSON.stringify(parts);
    await joinSnapshots(parts);
    assert.equal(JSON.stringify(parts), before);
  });

  test("survive a message of JSON", async () => {
    const parts = [1, 2].map(() => workerWith(ZERO, NO_SIGNING, "no error"));
    const sent = JSON.parse(JSON.stringify(parts)) as typeof parts;
    assert.deepEqual(await joinSnapshots(sent), await joinSnapshots(parts));
  });
});

test(
  "eight workers with every series there can be are joined without holding the loop up for long",
  {
    timeout: 20_000,
  },
  async () => {
    const parts = Array.from({ length: 8 }, everySeries);
    const samples = parts[0]!.reduce((sum, { values }) => sum + values.length, 0);
    assert.ok(samples > 2_000, `${samples}`);
    await joinSnapshots(parts); // compiled
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns += 1;
      if (!isOver) eachTurn(count);
    };
    count();
    const joined = await joinSnapshots(parts);
    isOver = true;
    const text = await scrape(joined);
    assert.equal(
      sampleValue(text, "keyless_requests", { opcode: "OpPing" }),
      8 * Object.keys(WIRE_ERRORS).length,
    );
    assert.ok(turns >= samples * 8 / 4_000, `${turns} turns for ${samples * 8} samples`);
  },
);

const EXEC = "keyless_request_exec_duration_per_opcode";

const ZERO = {
  handshaking: 0,
  established: 0,
  maxConnections: 0,
  inFlight: 0,
  oldestInFlightMs: 0,
  waiting: 0,
  oldestWaitingMs: 0,
  unsentBytes: 0,
};
const NO_SIGNING = {
  waiting: 0,
  oldestMs: 0,
  largest: 0,
  atThreads: 0,
  busy: 0,
  threads: 0,
  shed: {},
};

function everySeries(): MetricSnapshot[] {
  const metrics = new ServerMetrics();
  for (const { code } of OPCODES) {
    for (const error of Object.values(WIRE_ERRORS)) {
      const times = new RequestTimes(0, 1);
      metrics.received(code);
      metrics.executed(times, code, error);
      metrics.replied(times, code, error, 2);
    }
  }
  return metrics.registry.snapshot();
}

/** Rows that `watchServer` and `watchSigning` read. */
function isWatched(name: string): boolean {
  const metrics = new ServerMetrics();
  const before = new Set(metrics.registry.snapshot().map((metric) => metric.name));
  return !before.has(name);
}
