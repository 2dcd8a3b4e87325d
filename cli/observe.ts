import type { Settings } from "../src/config/settings.ts";
import type { HttpPort } from "../src/status/http_port.ts";
import { isLoopback, parseHttpAddress } from "../src/status/http_address.ts";
import { HttpMetrics } from "../src/status/http_metrics.ts";
import type { CpuProfile } from "../src/telemetry/profiles/cpu_profile.ts";
import type { HeapType } from "../src/telemetry/profiles/heap_profile.ts";
import type { Profiled } from "../src/telemetry/profiles/profiled.ts";
import type { MainMetrics, StoreGauges } from "../src/telemetry/main_metrics.ts";
import type { RecentProblems } from "../src/telemetry/recent_problems.ts";
import type { MetricSnapshot } from "../src/telemetry/metrics/registry.ts";
import type { WorkerSnapshots } from "../src/telemetry/metrics/retired_counters.ts";
import type { Push } from "../src/telemetry/metrics/push.ts";
import type { WorkerGauges } from "../src/telemetry/server_gauges.ts";
import { METRICS_FLAGS, STATUS_FLAGS } from "./http_flags.ts";
import { joinedMetrics } from "./joined_metrics.ts";
import { openPush } from "./open_push.ts";
import type { PreparedServer } from "./prepare.ts";

/** What is asked of a server that runs in several threads. */
export interface ObservedServer {
  readonly addresses: readonly string[];
  readonly isDraining: boolean;
  /** Workers that run. */
  readonly workers: number;
  /** Workers that have died and been replaced. */
  readonly restarts: number;
  /** Of the workers that answer. */
  gauges(): Promise<readonly WorkerGauges[]>;
  /** After a drain, what the workers had counted at their end. */
  snapshots(): Promise<WorkerSnapshots>;
  /** Of the workers that can tell, each while the others do. */
  cpuProfiles(durationMs: number): Promise<readonly Profiled<CpuProfile>[]>;
  /** Of the workers that can tell, one after the other: each stands still meanwhile. */
  heapProfiles(): Promise<readonly Profiled<readonly HeapType[]>[]>;
}

/** What the places that show a running server's state read from. */
export interface Observed {
  readonly settings: Settings;
  readonly server: ObservedServer;
  readonly prepared: PreparedServer;
  readonly metrics: MainMetrics;
  readonly stores: readonly StoreGauges[];
  readonly log: RecentProblems;
  /** Stops the server as a signal does; `reason` is for the log. */
  readonly stop: (reason: string) => void;
}

/** What `observe` opened. */
export interface Observation {
  /** Listens no more, and removes a socket's file: at once, for the end of the process. */
  closePorts(): void;
  /** Closes everything, once however often it is called; never throws. */
  close(): Promise<void>;
}

/**
 * Opens what shows a running server to its operator: the metrics port, the status port, the push of
 * metrics.
 *
 * @throws KeylessError "LISTEN" where an address cannot be listened on; nothing is left open then
 */
export async function observe(observed: Observed): Promise<Observation> {
  const http = new HttpMetrics();
  const ports: HttpPort[] = [];
  let push: Push | undefined;
  const closePorts = () => {
    for (const port of ports) port.close();
  };
  let closed: Promise<void> | undefined;
  const close = () => {
    closePorts();
    return closed ??= push?.stop() ?? Promise.resolve();
  };
  try {
    const { settings: { metrics_port, status } } = observed;
    const joined = joinedMetrics(observed);
    if (metrics_port !== "off" || status !== "") {
      const snapshot = await metricsSource(joined, http);
      ports.push(...await openMetricsPort(observed, http, snapshot));
      ports.push(...await openStatusPort(observed, http, snapshot));
    }
    push = await openPush(observed, joined);
  } catch (error) {
    await close();
    throw error;
  }
  return { close, closePorts };
}

type Snapshot = () => Promise<readonly MetricSnapshot[]>;

/** What gives all metrics of this process. */
async function metricsSource(joined: Snapshot, http: HttpMetrics): Promise<Snapshot> {
  const { ProcessMetrics } = await import("../src/telemetry/metrics/process_metrics.ts");
  const processMetrics = new ProcessMetrics();
  return async () => [
    ...await joined(),
    ...http.registry.snapshot(),
    ...await processMetrics.snapshot(),
  ];
}

/** The first scrape takes three times as long as the others: it shall not be beside signatures. */
async function warmUp(snapshot: Snapshot): Promise<void> {
  const { renderMetrics } = await import("../src/telemetry/metrics/render.ts");
  await renderMetrics(await snapshot());
}

async function openMetricsPort(
  observed: Observed,
  http: HttpMetrics,
  snapshot: Snapshot,
): Promise<HttpPort[]> {
  const { settings: { metrics_port: port, metrics_bind: host }, log } = observed;
  if (port === "off") return [];
  const { openHttpPort } = await import("../src/status/http_port.ts");
  const { METRICS_PORT_NOT_FOUND, metricsRoutes } = await import("../src/status/metrics_port.ts");
  await warmUp(snapshot);
  const opened = await openHttpPort({
    address: { kind: "tcp", host, port, tls: false },
    routes: metricsRoutes(snapshot),
    notFound: () => METRICS_PORT_NOT_FOUND,
    metrics: http,
    log,
    flags: METRICS_FLAGS,
  });
  const { address } = opened;
  log.info({ event: "metrics_listening", address, port: opened.port }, "serving /metrics");
  return [opened];
}

async function openStatusPort(
  observed: Observed,
  http: HttpMetrics,
  snapshot: Snapshot,
): Promise<HttpPort[]> {
  const { settings, prepared: { credentials }, log } = observed;
  const address = parseHttpAddress(settings.status);
  if (address === undefined) return [];
  const { openHttpPort } = await import("../src/status/http_port.ts");
  const { statusNotFound, statusRoutes } = await import("../src/status/status_port.ts");
  const { statusPortOptions } = await import("./status_source.ts");
  const options = statusPortOptions(observed, snapshot);
  await warmUp(() => options.source.snapshot());
  const { enable } = options;
  const hasTls = address.kind === "tcp" && address.tls;
  const opened = await openHttpPort({
    address,
    ...(hasTls ? { credentials } : {}),
    asksForCertificate: hasTls && !isLoopback(address.host) && (enable.pprof || enable.shutdown),
    routes: statusRoutes(options),
    notFound: statusNotFound,
    metrics: http,
    log,
    flags: STATUS_FLAGS,
  });
  log.info({
    event: "status_listening",
    address: opened.address,
    port: opened.port,
    tls: hasTls,
  }, "serving the status port");
  return [opened];
}
