import type { MetricSample } from "../telemetry/metrics/base_metrics.ts";
import type { MetricSnapshot } from "../telemetry/metrics/registry.ts";
import type { CpuProfile } from "../telemetry/profiles/cpu_profile.ts";
import type { HeapType } from "../telemetry/profiles/heap_profile.ts";
import type { Profiled } from "../telemetry/profiles/profiled.ts";
import type { Problem } from "../telemetry/recent_problems.ts";
import { whyRefused } from "./access.ts";
import { scraper, scrapeReply } from "./metrics_port.ts";
import { statusPage } from "./page.ts";
import { pprofRoutes } from "./pprof_routes.ts";
import { type HttpReply, type HttpRequest, jsonReply, type Route, textReply } from "./route.ts";
import { SharedWork } from "./shared_work.ts";
import {
  type Readiness,
  type StatusFacts,
  statusReport,
  type StatusState,
  whyNotReady,
} from "./status_report.ts";

/** What the status port reads the server from. */
export interface StatusSource {
  readonly facts: StatusFacts;
  /** For probes: it asks no worker. */
  readiness(): Readiness;
  state(): Promise<StatusState>;
  /** All metrics that Prometheus gets. */
  snapshot(): Promise<readonly MetricSnapshot[]>;
  /** The JSON form. */
  samples(): Promise<readonly MetricSample[]>;
  /** The last warnings and errors of the log, the newest first. */
  problems(): readonly Problem[];
  /**
   * What each thread does for so long; of a thread that cannot tell nothing.
   *
   * @throws Error of the runtime where no thread can
   */
  cpuProfiles(durationMs: number): Promise<readonly Profiled<CpuProfile>[]>;
  /** What each thread has, likewise. */
  heapProfiles(): Promise<readonly Profiled<readonly HeapType[]>[]>;
  /** Stops the server as SIGTERM does; more than once is as good as once. */
  shutdown(address: string): void;
}

export interface StatusPortOptions {
  readonly source: StatusSource;
  /** What this server is called, besides IP addresses and localhost. */
  readonly hostNames: readonly string[];
  /** The program's words, without secrets. */
  readonly commandLine: readonly string[];
  readonly enable: {
    readonly pprof: boolean;
    readonly heapProfile: boolean;
    readonly shutdown: boolean;
  };
}

/** The routes of the status port, those alone that are enabled. */
export function statusRoutes(options: StatusPortOptions): Route[] {
  const { source, hostNames, enable } = options;
  const scrape = scraper(() => source.snapshot());
  const state = new SharedWork(() => source.state());
  const page = new SharedWork(async () =>
    statusPage(source.facts, await source.state(), await source.snapshot(), source.problems())
  );
  const metricsJson = async () => jsonReply(200, await source.samples());
  const guarded = (route: Route): Route => ({
    ...route,
    reply(request) {
      const why = whyRefused(request, hostNames);
      return why === undefined ? route.reply(request) : textReply(403, `refused: ${why}`);
    },
  });
  return [
    get("/", () => page.result()),
    get("/_status", async () => {
      const report = statusReport(source.facts, await state.result());
      return jsonReply(report.ok ? 200 : 503, report);
    }),
    get("/_metrics", ({ query }) => {
      const format = query.get("format") ?? "json";
      if (format === "prometheus") return scrape("text");
      return format === "json" ? metricsJson() : textReply(400, "format is json or prometheus");
    }),
    get("/_metrics/json", metricsJson),
    get("/_metrics/prometheus", (request) => scrapeReply(scrape, request)),
    get("/healthz", () => textReply(200, "ok")),
    get("/readyz", () => {
      const why = whyNotReady(source.readiness());
      return why === undefined ? textReply(200, "ready") : textReply(503, `not ready: ${why}`);
    }),
    ...enable.pprof ? pprofRoutes(options).map(guarded) : [],
    ...enable.shutdown ? [guarded(shutdownRoute(source))] : [],
  ];
}

/** What the status port says of any other path. */
export function statusNotFound(path: string): string {
  if (path.startsWith("/debug/pprof")) {
    return "not found; with --enable-pprof, /debug/pprof/ lists the profiles";
  }
  if (path === SHUTDOWN) return "not found; it is served with --enable-shutdown alone";
  return "not found; try /, /_status, /_metrics/prometheus, /healthz or /readyz";
}

function shutdownRoute(source: StatusSource): Route {
  return {
    path: SHUTDOWN,
    method: "POST",
    reply: ({ peer }) => textReply(200, "stopping", { sent: () => source.shutdown(peer.address) }),
  };
}

function get(path: string, reply: (request: HttpRequest) => HttpReply | Promise<HttpReply>): Route {
  return { path, method: "GET", reply };
}

const SHUTDOWN = "/_shutdown";
