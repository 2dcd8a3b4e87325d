import { resolve } from "node:path";
import type { Settings } from "../src/config/settings.ts";
import { keyLabel } from "../src/crypto/public_key.ts";
import { printable } from "../src/errors/printable.ts";
import type { HsmStore } from "../src/hsm/hsm_store.ts";
import type { FileStore } from "../src/keystore/file_store.ts";
import { MainMetrics, type StoreGauges } from "../src/telemetry/main_metrics.ts";
import type { PreparedServer } from "./prepare.ts";
import { runtimeText, VERSION } from "./version.ts";

/**
 * The metrics of a server, with what is known of it before it listens.
 *
 * @param stores of `storeGauges`; they do not change once they are made
 */
export function createMetrics(
  settings: Settings,
  prepared: PreparedServer,
  stores: readonly StoreGauges[],
): MainMetrics {
  const { engine, chain, authorities, hsm } = prepared;
  const metrics = new MainMetrics({ maxPeerCertificates: settings.max_peer_certificates });
  for (const certificate of chain) metrics.certificates.addOwn(certificate, settings.auth_cert);
  for (const certificate of authorities) {
    metrics.certificates.addOwn(certificate, settings.cloudflare_ca_cert);
  }
  metrics.watchStores(() => stores);
  if (hsm !== undefined) {
    metrics.watchHsm(() => ({ tokens: hsm.tokens(), modules: hsm.modules() }));
  }
  metrics.describeBuild({
    version: VERSION,
    runtime: runtimeText(),
    crypto: `${engine.name}: ${engine.version}`,
  });
  return metrics;
}

/**
 * What each entry of private_key_stores has, by the kinds of its keys: a directory by its path; all
 * entries that are one file together, for there may be thousands; a PKCS#11 URI by itself.
 */
export function storeGauges(
  { private_key_stores: entries }: Pick<Settings, "private_key_stores">,
  store: Pick<FileStore, "keys" | "failures">,
  hsm?: Pick<HsmStore, "keys">,
): readonly StoreGauges[] {
  const directories = entries.flatMap((entry) =>
    "dir" in entry ? [{ name: `dir:${printable(entry.dir)}`, root: resolve(entry.dir) }] : []
  );
  const hasFiles = entries.some((entry) => "file" in entry);
  const names = [...directories.map(({ name }) => name), ...(hasFiles ? [FILES] : [])];
  const gauges = new Map(
    names.map((name) => [name, { keys: new Map<string, number>(), failures: 0 }]),
  );
  const gaugesOf = (path: string) => {
    const absolute = resolve(path);
    const directory = directories.find(({ root }) =>
      absolute === root || absolute.startsWith(root.endsWith("/") ? root : `${root}/`)
    );
    return gauges.get(directory?.name ?? FILES)!; // a path is of an entry, or below one
  };
  for (const { path, shape } of store.keys()) {
    const { keys } = gaugesOf(path);
    const kind = keyLabel(shape);
    keys.set(kind, (keys.get(kind) ?? 0) + 1);
  }
  for (const { path } of store.failures) gaugesOf(path).failures += 1;
  for (const { entry, info } of hsm?.keys ?? []) {
    const name = `uri:${entry}`;
    if (!gauges.has(name)) gauges.set(name, { keys: new Map(), failures: 0 });
    const { keys } = gauges.get(name)!;
    const kind = keyLabel(info);
    keys.set(kind, (keys.get(kind) ?? 0) + 1);
  }
  return Array.from(gauges, ([name, { keys, failures }]) => {
    return { store: name, keys: Object.fromEntries(keys), failures };
  });
}

/** The name of the entries `file:` together. */
const FILES = "files";
