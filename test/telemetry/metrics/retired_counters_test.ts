import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { joinSnapshots } from "../../../src/telemetry/metrics/join.ts";
import { type MetricSnapshot, MetricsRegistry } from "../../../src/telemetry/metrics/registry.ts";
import { RetiredCounters } from "../../../src/telemetry/metrics/retired_counters.ts";
import type { MetricRow } from "../../../src/telemetry/metrics/table.ts";

const TABLE = {
  done_total: { type: "counter", labels: ["kind"], help: "Done." },
  took_seconds: { type: "histogram", labels: ["kind"], help: "Took." },
  sent_bytes: { type: "summary", labels: [], help: "Sent." },
  open: { type: "gauge", join: "sum", labels: [], help: "Open." },
} as const satisfies Record<string, MetricRow>;

/** A worker that counts. */
class Worker {
  readonly registry = new MetricsRegistry(TABLE);
  readonly #done = this.registry.counter("done_total");
  readonly #took = this.registry.histogram("took_seconds");
  readonly #sent = this.registry.summary("sent_bytes").with();
  done = 0;

  constructor() {
    this.registry.watch(() => 1, { open: (value) => value });
  }

  work(kind: string): void {
    this.done += 1;
    this.#done.with(kind).add();
    this.#took.with(kind).observe(this.done / 1_000);
    this.#sent.observe(100);
  }
}

/** What may happen to one worker. */
const steps = fc.array(
  fc.record({
    place: fc.nat({ max: 2 }),
    happens: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom("a", "b", "c") },
      { weight: 3, arbitrary: fc.constant("scrape" as const) },
      { weight: 2, arbitrary: fc.constant("scrape, but it is silent" as const) },
      { weight: 1, arbitrary: fc.constant("dies" as const) },
    ),
  }),
  { maxLength: 80 },
);

const fresh = (): Worker => new Worker();

function valuesOf(metrics: readonly MetricSnapshot[], type: string): Map<string, number> {
  return new Map(
    metrics.filter((metric) => (metric.type === "gauge") === (type === "gauge")).flatMap((metric) =>
      metric.values.map((
        { labels, metricName, value },
      ) => [JSON.stringify([metricName ?? metric.name, labels]), value])
    ),
  );
}

describe("counters of workers", () => {
  test("never go back when they are joined, whichever work, are silent or die", async () => {
    await fc.assert(fc.asyncProperty(steps, async (happenings) => {
      const retired = new RetiredCounters();
      const running = new Map([0, 1, 2].map((id) => [id, fresh()]));
      const ids = [0, 1, 2];
      let nextId = 3;
      let last = new Map<string, number>();
      for (const { place, happens } of happenings) {
        const id = ids[place]!;
        if (happens === "dies") {
          running.delete(id);
          running.set(nextId, fresh());
          ids[place] = nextId++;
        } else if (happens.startsWith("scrape")) {
          const answers = new Map([...running].map(([each, { registry }]) => {
            const isSilent = each === id && happens !== "scrape";
            return [each, isSilent ? undefined : registry.snapshot()] as const;
          }));
          const joined = await joinSnapshots(await retired.parts(answers));
          const now = valuesOf(joined, "counter");
          for (const [series, value] of last) {
            assert.ok((now.get(series) ?? -1) >= value, `${series}: ${value}, ${now.get(series)}`);
          }
          last = now;
        } else running.get(id)!.work(happens);
      }
    }));
  });

  test("are all counted where each was asked before it died", async () => {
    const retired = new RetiredCounters();
    let done = 0;
    for (let id = 0; id < 50; id++) {
      const worker = fresh();
      for (let i = 0; i <= id; i++, done++) worker.work("a");
      const joined = await joinSnapshots(
        await retired.parts(new Map([[id, worker.registry.snapshot()]])),
      );
      const counters = valuesOf(joined, "counter");
      assert.equal(counters.get(JSON.stringify(["done_total", { kind: "a" }])), done);
      assert.equal(counters.get(JSON.stringify(["took_seconds_count", { kind: "a" }])), done);
      assert.equal(counters.get(JSON.stringify(["sent_bytes_sum", {}])), done * 100);
    }
  });
});

test("gauges are of the workers that answer alone", async () => {
  const retired = new RetiredCounters();
  const open = async (answers: readonly (readonly [number, Worker | undefined])[]) => {
    const snapshots = new Map(
      answers.map(([id, worker]) => [id, worker?.registry.snapshot()] as const),
    );
    const joined = await joinSnapshots(await retired.parts(snapshots));
    return valuesOf(joined, "gauge").get(JSON.stringify(["open", {}]));
  };
  const [one, two] = [fresh(), fresh()];
  assert.equal(await open([[0, one], [1, two]]), 2);
  assert.equal(await open([[0, one], [1, undefined]]), 1);
  assert.equal(await open([[1, two]]), 1);
  assert.equal(await open([]), undefined);
});
