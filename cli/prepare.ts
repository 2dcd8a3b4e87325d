import { existsSync } from "node:fs";
import { refuseEnrolment } from "../src/config/enrolment.ts";
import type { Settings } from "../src/config/settings.ts";
import type { Engine } from "../src/crypto/engine.ts";
import { selectEngine } from "../src/crypto/select_engine.ts";
import { KeylessError } from "../src/errors/errors.ts";
import type { FileStore, LoadStoreOptions } from "../src/keystore/file_store.ts";
import { readServerIdentity, type ServerIdentity } from "./credentials.ts";
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
  const left = store.failures.map(({ error }) => `a key is left out: ${error.message}`);
  warnings.push(...told, ...shorten(left));
  if (store.keys.length === 0) warnings.push(NO_KEYS);
  return store;
}

async function attempt<T>(
  failures: KeylessError[],
  step: () => T | Promise<T>,
): Promise<T | undefined> {
  try {
    return await step();
  } catch (thrown) {
    if (!(thrown instanceof KeylessError)) throw thrown;
    failures.push(thrown);
    return undefined;
  }
}

function together(failures: readonly KeylessError[]): Error {
  const [first, second] = failures;
  if (first === undefined || second === undefined) return first ?? new Error("nothing failed");
  const lines = failures.flatMap(({ message }) => message.split("\n"));
  const text = [`${failures.length} things stand in the way:`, ...lines].join("\n  ");
  return new KeylessError(first.code, text, { cause: first });
}

const NO_KEYS = "there are no keys to serve: name directories or files of them in " +
  "private_key_stores, or by --private-key-dirs or --private-key-files";
