import { Buffer } from "node:buffer";
import type { MetricSnapshot } from "../telemetry/metrics/registry.ts";
import { CONTENT_TYPES, type MetricsFormat, renderMetrics } from "../telemetry/metrics/render.ts";
import type { HttpReply, HttpRequest, Route } from "./route.ts";
import { textReply } from "./route.ts";
import { SharedWork } from "./shared_work.ts";

/** What the metrics port says of any other path. */
export const METRICS_PORT_NOT_FOUND = "only /metrics is served here";

/**
 * The metrics port's one route. The answer is the text format 0.0.4 whatever the client accepts:
 * Prometheus asks for OpenMetrics by itself, which renames counters, and queries by the names of the
 * metrics page would be empty. `?format=openmetrics` gives it nevertheless.
 */
export function metricsRoutes(snapshot: () => Promise<readonly MetricSnapshot[]>): Route[] {
  const scrape = scraper(snapshot);
  return [{ path: "/metrics", method: "GET", reply: (request) => scrapeReply(scrape, request) }];
}

/** Metrics in the format that the query asks for. */
export function scrapeReply(
  scrape: Scrape,
  { query }: HttpRequest,
): HttpReply | Promise<HttpReply> {
  const format = query.get("format") ?? "text";
  if (format === "text" || format === "openmetrics") return scrape(format);
  return textReply(400, "format is openmetrics, or is left out");
}

export type Scrape = (format: MetricsFormat) => Promise<HttpReply>;

/** Answers with metrics; scrapes that come at the same time share one. */
export function scraper(snapshot: () => Promise<readonly MetricSnapshot[]>): Scrape {
  const render = (format: MetricsFormat) =>
    new SharedWork(async () => Buffer.from(await renderMetrics(await snapshot(), format)));
  const works = { text: render("text"), openmetrics: render("openmetrics") };
  return async (format) => {
    const body = await works[format].result();
    return { status: 200, type: CONTENT_TYPES[format], body };
  };
}
