import type { Settings } from "../src/config/settings.ts";
import { keyLabel } from "../src/crypto/public_key.ts";
import type { FileStore } from "../src/keystore/file_store.ts";
import { ServerMetrics } from "../src/telemetry/server_metrics.ts";
import type { StoreGauges } from "../src/telemetry/server_metrics.ts";
import type { PreparedServer } from "./prepare.ts";
import { runtimeText, VERSION } from "./version.ts";

/** The metrics of a server, with what is known of it before it listens. */
export function createMetrics(settings: Settings, prepared: PreparedServer): ServerMetrics {
  const { engine, chain, authorities, store } = prepared;
  const metrics = new ServerMetrics({ maxPeerCertificates: settings.max_peer_certificates });
  for (const certificate of chain) metrics.certificates.addOwn(certificate, settings.auth_cert);
  for (const certificate of authorities) {
    metrics.certificates.addOwn(certificate, settings.cloudflare_ca_cert);
  }
  const stores = [storeGauges(store)]; // a store does not change once it is made
  metrics.watchStores(() => stores);
  metrics.describeBuild({
    version: VERSION,
    runtime: runtimeText(),
    crypto: `${engine.name}: ${engine.version}`,
  });
  return metrics;
}

/** What a file store has, by the kinds of its keys. */
export function storeGauges(store: FileStore): StoreGauges {
  const keys: Record<string, number> = {};
  for (const { info } of store.keys) {
    const kind = keyLabel(info);
    keys[kind] = (keys[kind] ?? 0) + 1;
  }
  return { store: "file", keys, failures: store.failures.length };
}
