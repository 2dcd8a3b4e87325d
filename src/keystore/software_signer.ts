import type { Engine, PrivateKey } from "../crypto/engine.ts";
import type { PublicKeyInfo } from "../crypto/public_key.ts";
import type { SignScheme } from "../crypto/scheme.ts";
import { KeylessError } from "../errors/errors.ts";
import type { Signer } from "./keystore.ts";

/** Signs with a key in this process's memory, at once: no promise is involved. */
export class SoftwareSigner implements Signer {
  readonly info: PublicKeyInfo;
  readonly #engine: Engine;
  #key: PrivateKey | undefined;

  /** Owns the key from here on: `free` gives it back to the engine. */
  constructor(engine: Engine, key: PrivateKey) {
    this.info = key.info;
    this.#engine = engine;
    this.#key = key;
  }

  sign(scheme: SignScheme, bytes: Uint8Array): Uint8Array {
    return this.#engine.sign(this.#usableKey(), scheme, bytes);
  }

  decrypt(block: Uint8Array): Uint8Array {
    return this.#engine.decrypt(this.#usableKey(), block);
  }

  /** Gives the key's memory back; using the signer afterwards throws. Safe to call twice. */
  free(): void {
    if (this.#key !== undefined) this.#engine.free(this.#key);
    this.#key = undefined;
  }

  #usableKey(): PrivateKey {
    if (this.#key === undefined) {
      throw new KeylessError("SIGN_FAILED", "the key was given back: its store is closed");
    }
    return this.#key;
  }
}
