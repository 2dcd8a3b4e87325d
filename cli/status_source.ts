import { hostname } from "node:os";
import process from "node:process";
import { formatValue } from "../src/config/kinds.ts";
import { settingOf } from "../src/config/settings.ts";
import { printable } from "../src/errors/printable.ts";
import { certificateGauge } from "../src/pki/certificate_gauge.ts";
import type { StatusPortOptions, StatusSource } from "../src/status/status_port.ts";
import type { Readiness, StatusState } from "../src/status/status_report.ts";
import { recordCpuProfile } from "../src/telemetry/profiles/cpu_profile.ts";
import { heapProfile } from "../src/telemetry/profiles/heap_profile.ts";
import type { Profiled } from "../src/telemetry/profiles/profiled.ts";
import { joinGauges, joinSigningGauges } from "../src/telemetry/server_gauges.ts";
import type { MetricSnapshot } from "../src/telemetry/metrics/registry.ts";
import { invocation } from "./invocation.ts";
import { maskedWords } from "./masked_words.ts";
import type { Observed } from "./observe.ts";
import { runtimeText, VERSION } from "./version.ts";

/**
 * What the status port shows, and may do, of a server.
 *
 * @param snapshot gives what /metrics gives
 */
export function statusPortOptions(
  observed: Observed,
  snapshot: () => Promise<readonly MetricSnapshot[]>,
): StatusPortOptions {
  const { settings, prepared, metrics, log, stop } = observed;
  const { metrics_prefix: prefix } = settings;
  return {
    source: {
      facts: factsOf(observed),
      readiness: () => readinessOf(observed),
      state: () => stateOf(observed),
      async snapshot() {
        const all = await snapshot();
        return [...metrics.base.snapshotsFor(all, prefix), ...all];
      },
      samples: async () => metrics.base.samples(await snapshot(), prefix),
      problems: () => log.list(),
      ...profilesOf(observed),
      shutdown: (address) => stop(`POST /_shutdown by ${address}`),
    },
    hostNames: [hostname(), ...dnsNames(prepared)],
    commandLine: [invocation(), ...maskedWords(process.argv.slice(2))],
    enable: {
      pprof: settings.enable_pprof,
      heapProfile: settings.enable_heap_profile,
      shutdown: settings.enable_shutdown,
    },
  };
}

function factsOf({ settings, server }: Observed): StatusSource["facts"] {
  const { private_key_stores: configured } = settings;
  return {
    version: VERSION,
    runtime: runtimeText(),
    hostname: hostname(),
    startedMs: Date.now(),
    addresses: server.addresses,
    stores: configured.map((store) =>
      printable(formatValue(settingOf("private_key_stores"), [store]))
    ),
  };
}

function readinessOf({ server: { isDraining, workers }, stores }: Observed): Readiness {
  return { isDraining, workers, stores };
}

async function stateOf(observed: Observed): Promise<StatusState> {
  const perWorker = await observed.server.gauges();
  const signing = perWorker.flatMap((worker) => worker.signing ?? []);
  return {
    ...readinessOf(observed),
    restarts: observed.server.restarts,
    gauges: joinGauges(perWorker.map((worker) => worker.server)),
    tokens: observed.prepared.hsm?.tokens() ?? [],
    signing: signing.length === 0 ? undefined : joinSigningGauges(signing),
    perWorker,
  };
}

function profilesOf({ server }: Observed): Pick<StatusSource, "cpuProfiles" | "heapProfiles"> {
  return {
    cpuProfiles: (durationMs) =>
      withMain(recordCpuProfile(durationMs), server.cpuProfiles(durationMs)),
    async heapProfiles() {
      const workers = await server.heapProfiles();
      return await withMain(heapProfile(), Promise.resolve(workers));
    },
  };
}

/** @throws what the main thread's profile failed with, where there is no other */
async function withMain<Profile>(
  main: Promise<Profile>,
  workers: Promise<readonly Profiled<Profile>[]>,
): Promise<readonly Profiled<Profile>[]> {
  const [own, others] = await Promise.allSettled([main, workers]);
  const found = others.status === "fulfilled" ? others.value : [];
  if (own.status === "fulfilled") return [{ thread: "main", profile: own.value }, ...found];
  if (found.length === 0) throw own.reason;
  return found;
}

function dnsNames({ chain: [certificate] }: Observed["prepared"]): string[] {
  return certificateGauge(certificate, "").labels.hostnames.split(",");
}
