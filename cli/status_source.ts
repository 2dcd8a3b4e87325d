import { hostname } from "node:os";
import process from "node:process";
import { formatValue } from "../src/config/kinds.ts";
import { settingOf } from "../src/config/settings.ts";
import { printable } from "../src/errors/printable.ts";
import { certificateGauge } from "../src/pki/certificate_gauge.ts";
import type { StatusPortOptions } from "../src/status/status_port.ts";
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
  { settings, server, prepared, metrics, stores, log, stop }: Observed,
  snapshot: () => Promise<readonly MetricSnapshot[]>,
): StatusPortOptions {
  const { private_key_stores: configured, metrics_prefix: prefix } = settings;
  return {
    source: {
      facts: {
        version: VERSION,
        runtime: runtimeText(),
        hostname: hostname(),
        startedMs: Date.now(),
        addresses: server.addresses,
        stores: configured.map((store) =>
          printable(formatValue(settingOf("private_key_stores"), [store]))
        ),
      },
      state: () => ({
        isDraining: server.isDraining,
        workers: 1,
        gauges: server.gauges(),
        stores,
      }),
      snapshot: async () => [...metrics.base.snapshotsFor(prefix), ...await snapshot()],
      samples: () => metrics.base.samples(prefix),
      problems: () => log.list(),
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

function dnsNames({ chain: [certificate] }: Observed["prepared"]): string[] {
  return certificateGauge(certificate, "").labels.hostnames.split(",");
}
