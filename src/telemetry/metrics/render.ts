import promClient from "prom-client";
import type { MetricSnapshot } from "./registry.ts";
import { SampleTurns } from "./sample_turns.ts";

/** "text" is Prometheus's text format 0.0.4; "openmetrics" is OpenMetrics 1.0. */
export type MetricsFormat = "text" | "openmetrics";

/** The media type of each format. */
export const CONTENT_TYPES: Readonly<Record<MetricsFormat, string>> = {
  text: promClient.Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: promClient.Registry.OPENMETRICS_CONTENT_TYPE,
};

/**
 * Writes metrics out. The event loop has its turn after every `SAMPLES_A_TURN` samples, so that a
 * large scrape holds no request up.
 *
 * In OpenMetrics counters are named without `_total` and their samples with it; of two counters that
 * this makes the same the first is kept.
 */
export async function renderMetrics(
  metrics: readonly MetricSnapshot[],
  format: MetricsFormat = "text",
): Promise<string> {
  const openMetrics = format === "openmetrics";
  const registry = new promClient.Registry();
  registry.setContentType(CONTENT_TYPES[format] as never);
  const parts: string[] = [];
  const names = new Set<string>();
  const turns = new SampleTurns(SAMPLES_A_TURN);
  for (const metric of metrics) {
    const name = openMetrics && metric.type === "counter"
      ? metric.name.replace(/_total$/, "")
      : metric.name;
    if (names.has(name)) continue;
    names.add(name);
    for (let at = 0; at === 0 || at < metric.values.length; at += SAMPLES_A_TURN) {
      const values = metric.values.slice(at, at + SAMPLES_A_TURN);
      const text = await formatMetric(registry, { ...metric, name, values });
      parts.push(at === 0 ? text : withoutHead(text));
      await turns.after(values.length);
    }
  }
  return `${parts.join("\n")}\n${openMetrics ? "# EOF\n" : ""}`;
}

/** prom-client reads a metric by its `get`. */
function formatMetric(
  registry: InstanceType<typeof promClient.Registry>,
  metric: MetricSnapshot,
): Promise<string> {
  const readable = registry as unknown as {
    getMetricsAsString(metric: { get(): MetricSnapshot }): Promise<string>;
  };
  return readable.getMetricsAsString({ get: () => metric });
}

/** What follows the lines HELP and TYPE. */
function withoutHead(text: string): string {
  return text.split("\n").slice(2).join("\n");
}

/** A millisecond or two of work, with long labels. */
const SAMPLES_A_TURN = 50;
