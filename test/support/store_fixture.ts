import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { toHex } from "../../src/bytes/hex.ts";
import type { Engine, LoadedKey, LoadOptions, PrivateKey } from "../../src/crypto/engine.ts";
import { LibcryptoEngine } from "../../src/crypto/libcrypto_engine.ts";
import {
  type FileStore,
  loadFileStore,
  type LoadStoreOptions,
} from "../../src/keystore/file_store.ts";
import { KeyFilesError } from "../../src/keystore/key_failures.ts";
import type { KeySource } from "../../src/keystore/key_files.ts";
import { openLibcrypto } from "../../src/runtime/libcrypto.ts";
import { type KeyKind, makeKey, openssl } from "./openssl.ts";
import { makeTempDir, type TempDir } from "./temp_dir.ts";

/** A directory for key files, and an engine that counts the keys of the stores made of them. */
export class StoreFixture {
  readonly dir: TempDir = makeTempDir();
  readonly engine = new WatchedEngine(new LibcryptoEngine(openLibcrypto()));
  /** The stores that `load` has given, in their order. */
  readonly open: FileStore[] = [];

  async load(
    options: Partial<LoadStoreOptions> = {},
    sources: readonly KeySource[] = [{ dir: this.dir.path }],
  ): Promise<FileStore> {
    const store = await loadFileStore(sources, { engine: this.engine, ...options });
    this.open.push(store);
    return store;
  }

  async loadFails(options: Partial<LoadStoreOptions> = {}): Promise<KeyFilesError> {
    const error = await this.load(options).then(() => undefined, (thrown) => thrown);
    assert.ok(error instanceof KeyFilesError, `not refused: ${error}`);
    return error;
  }

  /** File names below the directory, and what openssl says that each key's SKI is. */
  expectKeys(store: FileStore, expected: Readonly<Record<string, string>>): void {
    const found = Array.from(store.keys(), ({ path, info }) => [path, toHex(info.ski)]);
    const wanted = Object.entries(expected)
      .map(([name, pem]) => [this.dir.at(name), skiByOpenssl(pem)]);
    assert.deepEqual(found, wanted);
  }

  /** Closes the stores, and fails where one of them has kept a key. */
  end(): void {
    for (const store of this.open) store.close();
    this.dir.remove();
    assert.equal(this.engine.held, 0, "every key was given back");
  }
}

/** Counts the keys that it holds, and keeps the bytes that it was given. */
class WatchedEngine implements Engine {
  readonly name = "libcrypto";
  readonly version: string;
  readonly warning: string | undefined;
  held = 0;
  onLoad = () => {};
  readonly given: Uint8Array[] = [];
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.version = engine.version;
    this.warning = engine.warning;
  }

  load(bytes: Uint8Array, options?: LoadOptions): LoadedKey {
    this.given.push(bytes);
    this.onLoad();
    const key = this.#engine.load(bytes, options);
    this.held++;
    return key;
  }

  free(key: PrivateKey): void {
    this.held--;
    this.#engine.free(key);
  }

  readonly share: Engine["share"] = (key) => this.#engine.share(key);
  readonly adopt: Engine["adopt"] = (shape, shared) => this.#engine.adopt(shape, shared);
  readonly sign: Engine["sign"] = (key, scheme, bytes) => this.#engine.sign(key, scheme, bytes);
  readonly decrypt: Engine["decrypt"] = (key, block) => this.#engine.decrypt(key, block);
}

/** A new key as text: PKCS#8 in PEM. */
export function makePem(kind: KeyKind): string {
  return new TextDecoder().decode(makeKey(kind));
}

/** What openssl makes of a key file's text. */
export function opensslOf(pem: string, ...args: string[]): Uint8Array {
  return openssl(args, new TextEncoder().encode(pem));
}

export function sha(name: "sha1" | "sha256", data: string | Uint8Array): Uint8Array {
  return new Uint8Array(createHash(name).update(data).digest());
}

/** SHA-1 of what the SubjectPublicKey bit string holds, cut out by openssl. */
function skiByOpenssl(pem: string): string {
  const spki = opensslOf(pem, "pkey", "-pubout", "-outform", "DER");
  const listing = new TextDecoder().decode(openssl(["asn1parse", "-inform", "DER"], spki));
  const line = /^ *(\d+):d=1 +hl=(\d+) l= *(\d+) prim: BIT STRING/m.exec(listing);
  const start = Number(line?.[1]) + Number(line?.[2]) + 1; // a byte counts the unused bits
  return toHex(sha("sha1", spki.subarray(start)));
}
