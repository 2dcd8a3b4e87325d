import { setImmediate as nextTurn } from "node:timers/promises";
import type { Engine, LoadedKey, PrivateKey } from "../crypto/engine.ts";
import { measureCost } from "../crypto/measure_cost.ts";
import { pemBlocks } from "../pki/pem.ts";
import { type KeyFailure, keyFailure, KeyFilesError, namePath } from "./key_failures.ts";
import { type KeySource, listKeyFiles } from "./key_files.ts";
import { KeyTable, type StoredKey } from "./key_table.ts";
import type { KeyQuery, Keystore } from "./keystore.ts";
import { openToOthers, readRegularFile } from "./read_file.ts";
import { type KeyCost, packMaterial, type SharedKeys } from "./shared_keys.ts";
import { SharedStore } from "./shared_store.ts";
import type { SoftwareSigner } from "./software_signer.ts";

export interface LoadStoreOptions {
  readonly engine: Engine;
  /** For all encrypted keys; the caller owns and overwrites it. */
  readonly passphrase?: Uint8Array | undefined;
  /** Accept RSA keys of less than 2,048 bits. */
  readonly allowWeak?: boolean | undefined;
  /** Keep the keys that can be used where others cannot: those are in `failures`. */
  readonly keepGoing?: boolean | undefined;
  /** Called now and then, and at the end. `loaded` counts the files that were tried. */
  readonly onProgress?: ((loaded: number, total: number) => void) | undefined;
  /** Called at most once for each path and kind. The message does not hold the path. */
  readonly onWarning?: ((path: string, message: string, kind: KeyWarning) => void) | undefined;
}

/**
 * "open": others than the owner may use the file; "several": it holds more keys than the first;
 * "repeated": another file has the same key.
 */
export type KeyWarning = "open" | "several" | "repeated";

/**
 * Reads all key files of the sources and keeps their keys in memory. The event loop gets a turn
 * every 50 ms.
 *
 * A store without keys is no error. The bytes of the files are overwritten.
 *
 * @throws KeyFilesError naming every file that cannot be used, unless `keepGoing` is set; no key is
 *   kept then
 */
export async function loadFileStore(
  sources: readonly KeySource[],
  options: LoadStoreOptions,
): Promise<FileStore> {
  const { engine, keepGoing = false, onProgress } = options;
  const breathe = createBreather();
  const { paths, failures: unlisted } = await listKeyFiles(sources, breathe);
  const keys = new KeyTable(paths.length);
  const failures = [...unlisted];
  for (const [index, path] of paths.entries()) {
    await breathe(() => onProgress?.(index, paths.length));
    try {
      keepFirst(keys, path, loadKey(path, options), options);
    } catch (thrown) {
      failures.push(keyFailure(path, thrown));
    }
  }
  onProgress?.(paths.length, paths.length);
  const store = new FileStore(engine, keys, failures);
  if (failures.length === 0 || keepGoing) return store;
  store.close();
  throw new KeyFilesError(failures, paths.length + unlisted.length);
}

/** Software keys, which it owns. Does not change once it is made. */
export class FileStore implements Keystore {
  readonly failures: readonly KeyFailure[];
  readonly #engine: Engine;
  readonly #keys: KeyTable;
  /** Uint8, by position. */
  readonly #withdrawn: SharedArrayBuffer;
  #shared: SharedKeys | undefined;
  /** For `find`. */
  #store: SharedStore | undefined;
  #isClosed = false;

  /** Use `loadFileStore`. Owns the keys from here on. */
  constructor(engine: Engine, keys: KeyTable, failures: readonly KeyFailure[]) {
    this.#engine = engine;
    this.#keys = keys;
    this.#withdrawn = new SharedArrayBuffer(keys.size);
    this.failures = failures;
  }

  /** How many keys it holds. */
  get size(): number {
    return this.#keys.size;
  }

  /** In the order of the sources; each key once. */
  *keys(): Generator<StoredKey, void> {
    for (let position = 0; position < this.size; position++) yield this.at(position);
  }

  /** The keys for other threads. Measures on the first call what operations with them cost. */
  share(): SharedKeys {
    return this.#shared ??= this.#share();
  }

  /** As `SharedStore.find`, for this thread. */
  find(query: KeyQuery): SoftwareSigner | undefined {
    if (this.#isClosed) return undefined;
    this.#store ??= new SharedStore(this.#engine, this.share());
    return this.#store.find(query);
  }

  /** The key at a position, from 0 on, and its file. */
  at(position: number): StoredKey {
    return this.#keys.stored(position);
  }

  /** The key at a position, for the engine; it is the store's, and gone when that is closed. */
  keyAt(position: number): PrivateKey & { readonly info: KeyCost } {
    const { info, handle } = this.#keys.key(position);
    return { info: this.share().shapes[this.#keys.shapes.indexOf(info)]!, handle };
  }

  /** Signers of the key refuse from here on, in all threads. */
  withdraw(position: number): void {
    new Uint8Array(this.#withdrawn)[position] = 1;
  }

  /**
   * Gives the keys' memory back: nothing is found, and no signer works, from here on. No other thread
   * may be about to use a key. Safe to call twice.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    new Uint8Array(this.#withdrawn).fill(1);
    for (let position = 0; position < this.size; position++) {
      this.#engine.free(this.#keys.key(position));
    }
    const { material } = this.#shared ?? {};
    if (material !== undefined && "encodings" in material) {
      new Uint8Array(material.encodings).fill(0);
    }
  }

  #share(): SharedKeys {
    const engine = this.#engine;
    const keys = Array.from({ length: this.size }, (_, position) => this.#keys.key(position));
    const { bySki, byDigest, shapes, shapePlaces } = this.#keys;
    return {
      bySki: bySki.memory,
      byDigest: byDigest.memory,
      shapes: shapes.map((shape) => {
        const sample = keys.find(({ info }) => info === shape)!;
        return { ...shape, costMs: measureCost(engine, sample) };
      }),
      shapePlaces,
      withdrawn: this.#withdrawn,
      material: packMaterial(keys.map((key) => engine.share(key))),
    };
  }
}

function loadKey(path: string, options: LoadStoreOptions): LoadedKey {
  const { engine, passphrase, allowWeak, onWarning } = options;
  const file = readRegularFile(path);
  const { bytes } = file;
  try {
    const open = openToOthers(file);
    if (open !== undefined) onWarning?.(path, open, "open");
    const key = engine.load(bytes, { passphrase, allowWeak });
    const count = pemBlocks(bytes).filter(({ label }) => label.endsWith("PRIVATE KEY")).length;
    if (count > 1) {
      onWarning?.(path, `holds ${count} private keys; only the first is served`, "several");
    }
    return key;
  } finally {
    bytes.fill(0);
  }
}

/** Gives a key back that another file has brought already. */
function keepFirst(
  keys: KeyTable,
  path: string,
  key: LoadedKey,
  { engine, onWarning }: LoadStoreOptions,
): void {
  const first = keys.add(path, key);
  if (first === undefined) return;
  engine.free(key);
  const { path: firstPath } = keys.stored(first);
  onWarning?.(path, `holds the same key as ${namePath(firstPath)}, which is used`, "repeated");
}

/** A function that gives the event loop a turn, after `before`, where a while has passed. */
function createBreather(): (before?: () => void) => Promise<void> {
  let last = performance.now();
  return async (before) => {
    if (performance.now() - last < BREATHE_MS) return;
    before?.();
    await nextTurn();
    last = performance.now();
  };
}

const BREATHE_MS = 50;
