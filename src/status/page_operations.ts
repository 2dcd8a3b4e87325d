import { WIRE_ERRORS } from "../protocol/errors.ts";
import type { MetricSnapshot } from "../telemetry/metrics/registry.ts";
import { samplesOf } from "./page_numbers.ts";

/** The requests of one type that were answered, whatever the answer was. */
export interface Operation {
  readonly type: string;
  requests: number;
  errors: number;
  /** By error, without those that succeeded. */
  readonly byError: [error: string, count: number][];
  /** Cumulative counts by upper bound, in seconds. */
  readonly buckets: Map<number, number>;
}

/** Reads the histogram of execution times; types that were not asked for are left out. */
export function operationsOf(metrics: readonly MetricSnapshot[]): Operation[] {
  const operations = new Map<string, Operation>();
  for (const { labels, value, metricName } of samplesOf(metrics, HISTOGRAM)) {
    const type = String(labels["type"]);
    const known = operations.get(type);
    const operation: Operation = known ??
      { type, requests: 0, errors: 0, byError: [], buckets: new Map() };
    if (known === undefined) operations.set(type, operation);
    if (metricName === `${HISTOGRAM}_bucket`) {
      const bound = labels["le"] === "+Inf" ? Infinity : Number(labels["le"]);
      operation.buckets.set(bound, (operation.buckets.get(bound) ?? 0) + value);
    } else if (metricName === `${HISTOGRAM}_count`) {
      operation.requests += value;
      const error = String(labels["error"]);
      if (error === WIRE_ERRORS.NONE.text || value === 0) continue;
      operation.errors += value;
      operation.byError.push([error, value]);
    }
  }
  return [...operations.values()]
    .filter(({ requests }) => requests > 0)
    .toSorted((a, b) => b.requests - a.requests);
}

const HISTOGRAM = "keyless_request_exec_duration_per_opcode";
