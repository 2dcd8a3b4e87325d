import process from "node:process";
import { collectorUrl, DEFAULT_COLLECTOR_URL } from "../src/config/collector.ts";
import { flagOf, type Settings } from "../src/config/settings.ts";
import { KeylessError } from "../src/errors/errors.ts";
import type { Log } from "../src/telemetry/log.ts";
import type { OtlpTracerOptions } from "../src/telemetry/tracing/otlp_tracer.ts";
import { withoutQuery } from "../src/telemetry/tracing/without_query.ts";
import { VERSION } from "./version.ts";

/** What a tracer is made with, in each worker. */
export type TracingOptions = Omit<OtlpTracerOptions, "log">;

/**
 * How requests are traced, as the settings say; undefined where tracing is off.
 *
 * @throws KeylessError "CONFIG_VALUE" for a collector in OpenTelemetry's variables that is no URL
 */
export function tracingOptions(settings: Settings, log: Log): TracingOptions | undefined {
  if (!settings.tracing_enabled) return undefined;
  const url = collectorUrl(settings.tracing_address) ?? collectorOf(process.env);
  const { tracing_sample_rate: sampleRate } = settings;
  log.info({ event: "tracing", collector: withoutQuery(url), sampleRate }, "tracing");
  return { url, sampleRate, serviceVersion: VERSION };
}

/** Where OpenTelemetry's own variables say, for one that is configured by them. */
function collectorOf(env: Readonly<NodeJS.ProcessEnv>): string {
  for (const [variable, path] of Object.entries(ENDPOINT_VARIABLES)) {
    const endpoint = env[variable]?.trim();
    if (!endpoint) continue;
    const url = collectorUrl(endpoint.replace(/\/*$/, path));
    if (url !== undefined && /^https?:/i.test(endpoint)) return url;
    throw new KeylessError(
      "CONFIG_VALUE",
      `${variable} is no URL of a collector: give one with http:// or https:// and without a ` +
        `password, or use ${flagOf("tracing_address")}`,
    );
  }
  return DEFAULT_COLLECTOR_URL;
}

/** What they are called, and the path that follows. Source: "OTLP Exporter", configuration. */
const ENDPOINT_VARIABLES = {
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "",
  OTEL_EXPORTER_OTLP_ENDPOINT: "/v1/traces",
} as const;
