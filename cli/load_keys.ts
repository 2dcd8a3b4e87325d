import type { Settings } from "../src/config/settings.ts";
import type { KeylessError } from "../src/errors/errors.ts";
import { printable } from "../src/errors/printable.ts";
import {
  type FileStore,
  type KeyWarning,
  loadFileStore,
  type LoadStoreOptions,
} from "../src/keystore/file_store.ts";
import type { KeySource } from "../src/keystore/key_files.ts";
import { KeyFilesError } from "../src/keystore/key_failures.ts";
import { readPassphraseFile } from "../src/keystore/passphrase.ts";
import { attempt, together } from "./failures.ts";

/** The settings that say which keys are loaded, and how. */
export type KeySettings = Pick<
  Settings,
  "private_key_stores" | "passphrase" | "passphrase_file" | "allow_weak_keys" | "keep_going"
>;

export interface LoadedKeys {
  /** The caller closes it. */
  readonly store: FileStore;
  /** One printable line each; where many files have the same fault, they are summed up. */
  readonly warnings: readonly string[];
}

/**
 * Loads the keys that the settings name. A passphrase file that cannot be used does not hide what
 * else is wrong.
 *
 * @throws KeyFilesError naming every file that cannot be used, unless `keep_going` is set;
 *   KeylessError "FILE_READ", "KEY_PASSPHRASE" for the passphrase file; FailuresError for both
 */
export async function loadKeys(
  settings: KeySettings,
  options: Pick<LoadStoreOptions, "engine" | "onProgress">,
): Promise<LoadedKeys> {
  const failures: KeylessError[] = [];
  const warnings: string[] = [];
  const told: Readonly<Record<KeyWarning, string[]>> = { open: [], several: [], repeated: [] };
  const passphrase = await attempt(
    failures,
    () => readPassphrase(settings, (message) => warnings.push(message)),
  );
  const loading: KeylessError[] = [];
  const store = await attempt(
    loading,
    () =>
      loadFileStore(keyFiles(settings), {
        ...options,
        passphrase,
        allowWeak: settings.allow_weak_keys,
        keepGoing: settings.keep_going,
        onWarning: (path, message, kind) => told[kind].push(`${printable(path)} ${message}`),
      }),
  ).finally(() => passphrase?.fill(0));
  // without their passphrase, it is no news that encrypted keys cannot be used
  failures.push(...(failures.length === 0 ? loading : loading.flatMap(withoutEncrypted)));
  if (store === undefined || failures.length > 0) {
    store?.close();
    throw together(failures);
  }
  return { store, warnings: [...warnings, ...Object.values(told).flatMap(shorten)] };
}

/**
 * The passphrase of encrypted keys, to be overwritten by the caller; undefined where none is set.
 *
 * @param onWarning told of a file that others may read
 */
export function readPassphrase(
  settings: Pick<Settings, "passphrase" | "passphrase_file">,
  onWarning: (message: string) => void,
): Uint8Array | undefined {
  if (settings.passphrase !== "") return new TextEncoder().encode(settings.passphrase);
  if (settings.passphrase_file === "") return undefined;
  return readPassphraseFile(settings.passphrase_file, onWarning);
}

/** The entries that are not PKCS#11 tokens. */
function keyFiles({ private_key_stores: entries }: KeySettings): readonly KeySource[] {
  return entries.flatMap((entry) => "uri" in entry ? [] : [entry]);
}

function withoutEncrypted(error: KeylessError): KeylessError[] {
  if (!(error instanceof KeyFilesError)) return [error];
  const others = error.failures.filter(({ error }) => error.code !== "KEY_PASSPHRASE");
  return others.length === 0 ? [] : [new KeyFilesError(others, error.total)];
}

/** Ten thousand key files may have the same fault. */
export function shorten(lines: readonly string[]): readonly string[] {
  const left = lines.length - MAX_LINES;
  return left > 0 ? [...lines.slice(0, MAX_LINES), `and ${left} more like it`] : lines;
}

const MAX_LINES = 10;
