import { existsSync } from "node:fs";
import { refuseEnrolment } from "../src/config/enrolment.ts";
import type { Settings } from "../src/config/settings.ts";
import type { Engine } from "../src/crypto/engine.ts";
import { selectEngine } from "../src/crypto/select_engine.ts";
import type { KeylessError } from "../src/errors/errors.ts";
import type { FileStore, LoadStoreOptions } from "../src/keystore/file_store.ts";
import { readServerIdentity, type ServerIdentity } from "./credentials.ts";
import { attempt, together } from "./failures.ts";
import { loadKeys, shorten } from "./load_keys.ts";

/** All that a server needs before it listens. */
export interface PreparedServer extends ServerIdentity {
  readonly engine: Engine;
  /** The caller closes it. */
  readonly store: FileStore;
}

/**
 * Opens what the settings name: certificates, engine, keys. What `keyless config check` finds is
 * what `keyless serve` would find, because both call this.
 *
 * @throws KeylessError with everything that stands in the way, not the first thing alone
 */
export async function prepareServer(
  settings: Settings,
  options: Pick<LoadStoreOptions, "onProgress"> = {},
): Promise<PreparedServer> {
  refuseEnrolment(settings, existsSync);
  const failures: KeylessError[] = [];
  const warnings: string[] = [];
  const identity = await attempt(failures, () => readServerIdentity(settings));
  const engine = await attempt(failures, () => selectEngine(settings.crypto));
  const store = engine &&
    await attempt(failures, () => openStore(settings, { ...options, engine }, warnings));
  if (identity === undefined || engine === undefined || store === undefined) {
    store?.close();
    throw together(failures);
  }
  if (engine.warning !== undefined) warnings.push(engine.warning);
  return { ...identity, engine, store, warnings: [...identity.warnings, ...warnings] };
}

async function openStore(
  settings: Settings,
  options: Pick<LoadStoreOptions, "engine" | "onProgress">,
  warnings: string[],
): Promise<FileStore> {
  const { store, warnings: told } = await loadKeys(settings, options);
  const left = store.failures.map(({ kind, error }) =>
    `a ${kind === "file" ? "key" : "directory of keys"} is left out: ${error.message}`
  );
  warnings.push(...told, ...shorten(left));
  if (store.size === 0) warnings.push(NO_KEYS);
  return store;
}

const NO_KEYS = "there are no keys to serve: name directories or files of them in " +
  "private_key_stores, or by --private-key-dirs or --private-key-files";
