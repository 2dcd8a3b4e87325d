import { parseHostPort } from "../src/config/host_port.ts";
import type { Push, Sink } from "../src/telemetry/metrics/push.ts";
import type { MetricSnapshot } from "../src/telemetry/metrics/registry.ts";
import type { Observed } from "./observe.ts";

/**
 * Starts pushing metrics to where the settings say; undefined where that is nowhere.
 *
 * @param snapshot gives the metrics of all threads
 */
export async function openPush(
  { settings, metrics, log }: Observed,
  snapshot: () => Promise<readonly MetricSnapshot[]>,
): Promise<Push | undefined> {
  const { metrics_graphite, metrics_url: url, metrics_prefix: prefix } = settings;
  const graphite = parseHostPort(metrics_graphite);
  const sinks: Sink[] = [];
  if (graphite !== undefined) {
    const { graphiteSink } = await import("../src/telemetry/metrics/graphite.ts");
    sinks.push(graphiteSink(graphite.host, graphite.port, prefix));
  }
  if (url !== "") {
    const { httpSink } = await import("../src/telemetry/metrics/http_push.ts");
    sinks.push(httpSink(url, prefix));
  }
  if (sinks.length === 0) return undefined;
  const { startPush } = await import("../src/telemetry/metrics/push.ts");
  return startPush({
    sinks,
    intervalMs: settings.metrics_interval,
    read: async () => metrics.base.values(await snapshot()),
    count: (sink, outcome) => metrics.pushed(sink, outcome),
    log,
  });
}
