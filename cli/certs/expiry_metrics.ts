import { firstToExpire } from "../../src/pki/certificate_gauge.ts";
import { type MetricsFormat, renderMetrics } from "../../src/telemetry/metrics/render.ts";
import { METRICS } from "../../src/telemetry/metrics/table.ts";
import type { ExpiryReading } from "./expiry_entries.ts";

/** The series as `keyless serve` exposes them, and that of the read errors, also where it is 0. */
export async function expiryMetrics(
  { entries, readErrors }: ExpiryReading,
  format: MetricsFormat,
): Promise<string> {
  return await renderMetrics([
    {
      name: EXPIRY,
      help: METRICS[EXPIRY].help,
      type: "gauge",
      aggregator: METRICS[EXPIRY].join,
      values: firstToExpire(entries).map(({ labels, value }) => ({ labels: { ...labels }, value })),
    },
    {
      name: "certificate_read_errors",
      help: "Files and hosts whose certificates could not be read.",
      type: "gauge",
      aggregator: "sum",
      values: [{ labels: {}, value: readErrors }],
    },
  ], format);
}

const EXPIRY = "certificate_expiration_timestamp_seconds";
