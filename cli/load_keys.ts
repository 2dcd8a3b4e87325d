import type { Settings } from "../src/config/settings.ts";
import {
  type FileStore,
  type KeyWarning,
  loadFileStore,
  type LoadStoreOptions,
} from "../src/keystore/file_store.ts";
import { readPassphraseFile } from "../src/keystore/passphrase.ts";
import { printable } from "../src/telemetry/printable.ts";

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
 * Loads the keys that the settings name.
 *
 * @throws KeyFilesError naming every file that cannot be used, unless `keep_going` is set;
 *   KeylessError "FILE_READ", "KEY_PASSPHRASE" for the passphrase file
 */
export async function loadKeys(
  settings: KeySettings,
  options: Pick<LoadStoreOptions, "engine" | "onProgress">,
): Promise<LoadedKeys> {
  const passphrase = readPassphrase(settings);
  const told: Readonly<Record<KeyWarning, string[]>> = { open: [], repeated: [] };
  try {
    const store = await loadFileStore(settings.private_key_stores, {
      ...options,
      passphrase,
      allowWeak: settings.allow_weak_keys,
      keepGoing: settings.keep_going,
      onWarning: (path, message, kind) => told[kind].push(`${printable(path)} ${message}`),
    });
    return { store, warnings: [...shorten(told.open), ...shorten(told.repeated)] };
  } finally {
    passphrase?.fill(0);
  }
}

/** The passphrase of encrypted keys, to be overwritten by the caller; undefined where none is set. */
export function readPassphrase(
  settings: Pick<Settings, "passphrase" | "passphrase_file">,
): Uint8Array | undefined {
  if (settings.passphrase !== "") return new TextEncoder().encode(settings.passphrase);
  return settings.passphrase_file === "" ? undefined : readPassphraseFile(settings.passphrase_file);
}

/** Ten thousand key files may have the same fault. */
export function shorten(lines: readonly string[]): readonly string[] {
  const left = lines.length - MAX_LINES;
  return left > 0 ? [...lines.slice(0, MAX_LINES), `and ${left} more like it`] : lines;
}

const MAX_LINES = 10;
