import process from "node:process";
import { collectorUrl, DEFAULT_COLLECTOR_URL } from "../src/config/collector.ts";
import { flagOf, type Settings } from "../src/config/settings.ts";
import { KeylessError } from "../src/errors/errors.ts";
import type { Log } from "../src/telemetry/log.ts";
import type { Tracer } from "../src/telemetry/tracing/tracer.ts";
import { VERSION } from "./version.ts";

/**
 * The tracer that the settings ask for; undefined where tracing is off, and nothing of it is loaded
 * then.
 *
 * @throws KeylessError "CONFIG_VALUE" for a collector in OpenTelemetry's variables that is no URL
 */
export async function startTracing(settings: Settings, log: Log): Promise<Tracer | undefined> {
  if (!settings.tracing_enabled) return undefined;
  const url = collectorUrl(settings.tracing_address) ?? collectorOf(process.env);
  const { tracing_sample_rate: sampleRate } = settings;
  const { OtlpTracer } = await import("../src/telemetry/tracing/otlp_tracer.ts");
  const tracer = new OtlpTracer({ url, sampleRate, serviceVersion: VERSION, log });
  log.info({ event: "tracing", collector: tracer.collector, sampleRate }, "tracing");
  return tracer;
}

/** Ends the process in a moment, even if an export still waits: its timers outlast the tracer. */
export function endThoughExporting(): void {
  setTimeout(() => process.exit(), LAST_EXPORT_MS).unref();
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

const LAST_EXPORT_MS = 100;
