import { existsSync } from "node:fs";
import { refuseEnrolment } from "../src/config/enrolment.ts";
import type { Settings } from "../src/config/settings.ts";
import type { Engine } from "../src/crypto/engine.ts";
import { selectEngine } from "../src/crypto/select_engine.ts";
import type { KeylessError } from "../src/errors/errors.ts";
import type { FileStore, LoadStoreOptions } from "../src/keystore/file_store.ts";
import type { HsmStore } from "../src/hsm/hsm_store.ts";
import type { HsmObserver } from "../src/hsm/open_hsm_store.ts";
import { ownCommand } from "./own_command.ts";
import { readServerIdentity, type ServerIdentity } from "./credentials.ts";
import { attempt, together } from "./failures.ts";
import { loadKeys, shorten } from "./load_keys.ts";

/** All that a server needs before it listens. */
export interface PreparedServer extends ServerIdentity {
  readonly engine: Engine;
  /** The caller closes it. */
  readonly store: FileStore;
  /** The keys in PKCS#11 tokens, the caller's to close; undefined where none are named or opened. */
  readonly hsm: HsmStore | undefined;
}

export interface PrepareOptions extends Pick<LoadStoreOptions, "onProgress"> {
  /** Opens the PKCS#11 tokens, which is told what happens to them from then on. */
  readonly hsm?: HsmObserver | undefined;
}

/**
 * Opens what the settings name: certificates, engine, keys. What `keyless config check` finds is
 * what `keyless serve` would find, because both call this.
 *
 * @throws KeylessError with everything that stands in the way, not the first thing alone
 */
export async function prepareServer(
  settings: Settings,
  { hsm: observer, ...options }: PrepareOptions = {},
): Promise<PreparedServer> {
  refuseEnrolment(settings, existsSync);
  const failures: KeylessError[] = [];
  const warnings: string[] = [];
  const identity = await attempt(failures, () => readServerIdentity(settings));
  const engine = await attempt(failures, () => selectEngine(settings.crypto));
  const store = engine &&
    await attempt(failures, () => openStore(settings, { ...options, engine }, warnings));
  const hsm = observer && await attempt(failures, () => openHsm(settings, observer, warnings));
  if (
    identity === undefined || engine === undefined || store === undefined || failures.length > 0
  ) {
    store?.close();
    await hsm?.close();
    throw together(failures);
  }
  if (engine.warning !== undefined) warnings.push(engine.warning);
  return { ...identity, engine, store, hsm, warnings: [...identity.warnings, ...warnings] };
}

async function openHsm(
  settings: Settings,
  observer: HsmObserver,
  warnings: string[],
): Promise<HsmStore | undefined> {
  const uris = settings.private_key_stores.flatMap((entry) => "uri" in entry ? [entry.uri] : []);
  if (uris.length === 0) return undefined;
  const { openHsmStore } = await import("../src/hsm/open_hsm_store.ts");
  const { MODULE_COMMAND } = await import("./commands/pkcs11_module.ts");
  const told: string[] = [];
  const store = await openHsmStore(uris, {
    command: (path) => [...ownCommand(), MODULE_COMMAND, path],
    allowWeak: settings.allow_weak_keys,
    onWarning: (message) => told.push(message),
    observer,
  });
  warnings.push(...shorten(told));
  if (uris.some((uri) => uri["pin-value"] !== undefined)) warnings.push(PIN_IN_FILE);
  return store;
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
  const isAll = settings.private_key_stores.every((entry) => !("uri" in entry));
  if (store.size === 0 && isAll) warnings.push(NO_KEYS);
  return store;
}

const PIN_IN_FILE =
  "a PIN stands in the configuration (pin-value): whoever reads that has it; put it " +
  "into a file of its own, and name that by pin-source";

const NO_KEYS = "there are no keys to serve: name directories or files of them in " +
  "private_key_stores, or by --private-key-dirs or --private-key-files";
