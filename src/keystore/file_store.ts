import { setImmediate as nextTurn } from "node:timers/promises";
import { toHex } from "../bytes/hex.ts";
import type { Engine, PrivateKey } from "../crypto/engine.ts";
import { OperationCosts } from "../crypto/operation_cost.ts";
import type { PublicKeyInfo } from "../crypto/public_key.ts";
import { pemBlocks } from "../pki/pem.ts";
import { DigestTable } from "./digest_table.ts";
import { type KeyFailure, keyFailure, KeyFilesError, namePath } from "./key_failures.ts";
import { type KeySource, listKeyFiles } from "./key_files.ts";
import type { KeyQuery, Keystore } from "./keystore.ts";
import { openToOthers, readRegularFile } from "./read_file.ts";
import { type Elsewhere, SoftwareSigner } from "./software_signer.ts";

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

/** A key that a store holds, and the file that it came from. */
export interface StoredKey {
  readonly path: string;
  readonly info: PublicKeyInfo;
}

/**
 * Reads all key files of the sources and keeps their keys in memory. The event loop gets a turn
 * every 50 ms.
 *
 * A store without keys is no error: `keys` is empty. The bytes of the files are overwritten.
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
  const loaded = new Map<string, LoadedKey>();
  const failures = [...unlisted];
  for (const [index, path] of paths.entries()) {
    await breathe(() => onProgress?.(index, paths.length));
    try {
      keepFirst(loaded, { path, key: loadKey(path, options) }, options);
    } catch (thrown) {
      failures.push(keyFailure(path, thrown));
    }
  }
  onProgress?.(paths.length, paths.length);
  const store = new FileStore(engine, [...loaded.values()], failures);
  if (failures.length === 0 || keepGoing) return store;
  store.close();
  throw new KeyFilesError(failures, paths.length + unlisted.length);
}

/** Software keys, found by SKI or, RSA alone, by certificate digest. Does not change once it is made. */
export class FileStore implements Keystore {
  /** In the order of the sources; each key once. */
  readonly keys: readonly StoredKey[];
  readonly failures: readonly KeyFailure[];
  readonly #engine: Engine;
  readonly #bySki: DigestTable;
  readonly #byDigest: DigestTable;
  #signers: readonly SoftwareSigner[];
  #rsaSigners: readonly SoftwareSigner[];

  /** Use `loadFileStore`. Owns the keys from here on. */
  constructor(engine: Engine, loaded: readonly LoadedKey[], failures: readonly KeyFailure[]) {
    this.keys = loaded.map(({ path, key }) => ({ path, info: key.info }));
    this.failures = failures;
    this.#engine = engine;
    this.#signers = loaded.map(({ key }) => new SoftwareSigner(engine, key));
    this.#bySki = new DigestTable(this.#signers.map(({ info }) => info.ski), SKI_BYTES);
    this.#rsaSigners = this.#signers.filter(({ info }) => info.digest !== undefined);
    const digests = this.#rsaSigners.flatMap(({ info }) => info.digest ?? []);
    this.#byDigest = new DigestTable(digests, CERTIFICATE_DIGEST_BYTES);
  }

  /**
   * The signer of the SKI; where the query has none, of the certificate digest. Undefined for one
   * that is not known, or of a wrong length.
   */
  find({ ski, digest }: KeyQuery): SoftwareSigner | undefined {
    if (ski !== undefined && ski.length > 0) return this.#signers[this.#bySki.find(ski)];
    if (digest !== undefined) return this.#rsaSigners[this.#byDigest.find(digest)];
    return undefined;
  }

  /**
   * Has keys sign elsewhere whose operations take longer than `limitMs`: measured here, once for
   * each kind and size.
   *
   * @returns how many keys that are
   */
  moveSlow(place: Elsewhere, limitMs: number): number {
    const costs = new OperationCosts(this.#engine);
    return this.#signers.filter((signer) => signer.moveSlow(place, costs, limitMs)).length;
  }

  /** Gives the keys' memory back: nothing is found, and no signer works, from here on. */
  close(): void {
    for (const signer of this.#signers) signer.free();
    this.#signers = [];
    this.#rsaSigners = [];
  }
}

interface LoadedKey {
  readonly path: string;
  readonly key: PrivateKey;
}

function loadKey(path: string, options: LoadStoreOptions): PrivateKey {
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
  loaded: Map<string, LoadedKey>,
  { path, key }: LoadedKey,
  { engine, onWarning }: LoadStoreOptions,
): void {
  const ski = toHex(key.info.ski);
  const first = loaded.get(ski);
  if (first === undefined) {
    loaded.set(ski, { path, key });
    return;
  }
  engine.free(key);
  onWarning?.(path, `holds the same key as ${namePath(first.path)}, which is used`, "repeated");
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
const SKI_BYTES = 20;
const CERTIFICATE_DIGEST_BYTES = 32;
