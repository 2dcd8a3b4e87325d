import { WIRE_ERRORS } from "../../protocol/errors.ts";
import type { MetricSnapshot, SampleValue } from "./registry.ts";
import { type Join, METRICS } from "./table.ts";

/**
 * The base metrics by their short names, for the status port and for what is pushed: ghostunnel's,
 * and a few more for those who have nothing but Graphite. Counters and gauges are read from the
 * series of the table METRICS, and so cost nothing but their reading.
 *
 * Source: ghostunnel's metrics page, "Metric Names".
 */
export const BASE_METRICS = {
  "conn.open": {
    type: "gauge",
    join: "sum",
    help: "Open connections, those in their handshake too.",
    read: (all) => all.sum("keyless_connections"),
  },
  "conn.timeout": {
    type: "counter",
    join: "sum",
    help: "Established connections closed because they were idle, or took no replies.",
    read: (all) => all.sum("keyless_connection_timeouts_total"),
  },
  "accept.total": {
    type: "counter",
    join: "sum",
    help: "Connections accepted, counted when their handshake has ended: success and error.",
    read: (all) => all.sum("keyless_handshakes_total"),
  },
  "accept.success": {
    type: "counter",
    join: "sum",
    help: "Connections established.",
    read: (all) => all.sum("keyless_handshakes_total", ({ outcome }) => outcome === "ok"),
  },
  "accept.error": {
    type: "counter",
    join: "sum",
    help: "Connections not established, whatever the reason.",
    read: (all) => all.sum("keyless_handshakes_total", ({ outcome }) => outcome !== "ok"),
  },
  "accept.timeout": {
    type: "counter",
    join: "sum",
    help: "Connections not established because their handshake took too long.",
    read: (all) => all.sum("keyless_handshakes_total", ({ outcome }) => outcome === "timeout"),
  },
  "conn.handshake": { type: "timer", help: "TLS handshakes that succeeded." },
  "conn.lifetime": { type: "timer", help: "Established connections that have ended." },
  "request.total": {
    type: "counter",
    join: "sum",
    help: "Requests received.",
    read: (all) => all.sum("keyless_requests"),
  },
  "request.error": {
    type: "counter",
    join: "sum",
    help: "Requests answered with an error.",
    read: (all) =>
      all.sum(
        "keyless_request_exec_duration_per_opcode",
        ({ error }) => error !== WIRE_ERRORS.NONE.text,
      ),
  },
  "request.inflight": {
    type: "gauge",
    join: "sum",
    help: "Requests taken up whose response has not been written.",
    read: (all) => all.sum("keyless_requests_in_flight"),
  },
  "request.waiting": {
    type: "gauge",
    join: "sum",
    help: "Requests that wait for one of their connection's slots.",
    read: (all) => all.sum("keyless_requests_waiting"),
  },
  "key.count": {
    type: "gauge",
    join: "max",
    help: "Private keys that are loaded.",
    read: (all) => all.sum("keyless_keys"),
  },
} as const satisfies Record<string, BaseRow>;

/** The names of the timers. */
export type TimerName = {
  [Name in keyof typeof BASE_METRICS]: (typeof BASE_METRICS)[Name] extends { type: "timer" } ? Name
    : never;
}[keyof typeof BASE_METRICS];

/** A row of the table; a timer is fed, the others are read. */
export type BaseRow =
  & { readonly help: string }
  & (
    | { readonly type: "timer" }
    | {
      readonly type: "counter" | "gauge";
      readonly join: Join;
      readonly read: (all: Sums) => number;
    }
  );

/** What the rows read from: a snapshot of the table METRICS. */
export class Sums {
  readonly #values: ReadonlyMap<string, readonly SampleValue[]>;

  constructor(metrics: readonly MetricSnapshot[]) {
    this.#values = new Map(metrics.map(({ name, values }) => [name, values]));
  }

  /** The series with such labels, added up; of a histogram how often it observed something. */
  sum(
    name: keyof typeof METRICS,
    includes: (labels: SampleValue["labels"]) => boolean = () => true,
  ): number {
    const counted = METRICS[name].type === "histogram" ? `${name}_count` : undefined;
    return (this.#values.get(name) ?? [])
      .filter(({ metricName, labels }) => metricName === counted && includes(labels))
      .reduce((sum, { value }) => sum + value, 0);
  }
}
