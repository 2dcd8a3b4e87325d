import promClient from "prom-client";
import type { MetricSnapshot, SampleValue } from "./registry.ts";
import { SampleTurns } from "./sample_turns.ts";
import { METRICS } from "./table.ts";

/**
 * Joins what several threads have counted, each metric as it says itself; in the order of the table
 * METRICS, others after it. The event loop has its turns meanwhile.
 */
export async function joinSnapshots(
  parts: readonly (readonly MetricSnapshot[])[],
): Promise<MetricSnapshot[]> {
  const byName = Map.groupBy(parts.flat(), ({ name }) => name);
  const names = new Set([...NAMES.filter((name) => byName.has(name)), ...byName.keys()]);
  const joined: MetricSnapshot[] = [];
  const turns = new SampleTurns(SAMPLES_A_TURN);
  for (const name of names) {
    const [first, ...others] = byName.get(name)!;
    if (others.length === 0) {
      joined.push(first!);
      continue;
    }
    const values: SampleValue[] = [];
    for (const slice of slicesOf([first!, ...others])) {
      values.push(...join(slice));
      await turns.after(slice.reduce((sum, metric) => sum + metric.values.length, 0));
    }
    joined.push({ ...first!, values });
  }
  return joined;
}

/** A metric in parts that can be joined one by one: a series has one first label, so it is in one. */
function slicesOf(metrics: readonly MetricSnapshot[]): MetricSnapshot[][] {
  const slices = new Map<string | number | undefined, MetricSnapshot[]>();
  for (const metric of metrics) {
    for (const [label, values] of Map.groupBy(metric.values, firstLabel)) {
      const slice = slices.get(label);
      if (slice === undefined) slices.set(label, [{ ...metric, values }]);
      else slice.push({ ...metric, values });
    }
  }
  return [...slices.values()];
}

function firstLabel({ labels }: SampleValue): string | number | undefined {
  for (const name in labels) return labels[name];
  return undefined;
}

/** The values of one metric of several threads. */
function join(metrics: readonly MetricSnapshot[]): readonly SampleValue[] {
  const registry = promClient.AggregatorRegistry.aggregate(metrics.map((each) => [each]) as never);
  const [joined] = registry.getMetricsAsArray() as unknown as readonly MetricSnapshot[];
  return joined?.values ?? [];
}

const NAMES = Object.keys(METRICS);

/** Half a millisecond of work; a slice may have some thousand. */
const SAMPLES_A_TURN = 500;
