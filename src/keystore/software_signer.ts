import type { Engine, PrivateKey } from "../crypto/engine.ts";
import type { OperationCosts } from "../crypto/operation_cost.ts";
import type { PublicKeyInfo } from "../crypto/public_key.ts";
import type { Scheme, SignScheme } from "../crypto/scheme.ts";
import { KeylessError } from "../errors/errors.ts";
import type { RequestContext, Signer } from "./keystore.ts";

/** Carries operations out elsewhere than on the event loop, with the engine's own key. */
export interface Elsewhere {
  /**
   * @returns what was made; the key is no longer in use when it settles
   * @throws KeylessError as `Signer.sign`; further codes where it was not begun
   */
  sign(
    key: PrivateKey,
    scheme: Scheme,
    bytes: Uint8Array,
    costMs: number,
    context: RequestContext,
  ): Promise<Uint8Array>;
}

/**
 * Signs with a key in this process's memory: at once, so that no promise is involved, or elsewhere,
 * where that was asked for.
 */
export class SoftwareSigner implements Signer {
  readonly info: PublicKeyInfo;
  readonly #engine: Engine;
  #key: PrivateKey | undefined;
  #elsewhere: { readonly place: Elsewhere; readonly costMs: number } | undefined;
  #outstanding = 0;
  #isFreed = false;

  /** Owns the key from here on: `free` gives it back to the engine. */
  constructor(engine: Engine, key: PrivateKey) {
    this.info = key.info;
    this.#engine = engine;
    this.#key = key;
  }

  /**
   * From here on operations are carried out there, if they cost more than the limit.
   *
   * @returns whether they do
   */
  moveSlow(place: Elsewhere, costs: OperationCosts, limitMs: number): boolean {
    const costMs = costs.of(this.#usableKey());
    if (costMs > limitMs) this.#elsewhere = { place, costMs };
    return costMs > limitMs;
  }

  sign(
    scheme: SignScheme,
    bytes: Uint8Array,
    context: RequestContext,
  ): Uint8Array | Promise<Uint8Array> {
    if (this.#elsewhere !== undefined) return this.#signElsewhere(scheme, bytes, context);
    return this.#engine.sign(this.#usableKey(), scheme, bytes);
  }

  decrypt(block: Uint8Array, context: RequestContext): Uint8Array | Promise<Uint8Array> {
    if (this.#elsewhere !== undefined) return this.#signElsewhere("rsa-decrypt", block, context);
    return this.#engine.decrypt(this.#usableKey(), block);
  }

  /**
   * Gives the key's memory back, once nothing that was begun uses it; using the signer afterwards
   * throws. Safe to call twice.
   */
  free(): void {
    this.#isFreed = true;
    this.#freeUnused();
  }

  #signElsewhere(scheme: Scheme, bytes: Uint8Array, context: RequestContext): Promise<Uint8Array> {
    const { place, costMs } = this.#elsewhere!;
    const made = place.sign(this.#usableKey(), scheme, bytes, costMs, context);
    this.#outstanding += 1;
    return made.finally(() => {
      this.#outstanding -= 1;
      this.#freeUnused();
    });
  }

  #freeUnused(): void {
    if (!this.#isFreed || this.#outstanding > 0 || this.#key === undefined) return;
    this.#engine.free(this.#key);
    this.#key = undefined;
  }

  #usableKey(): PrivateKey {
    if (this.#key === undefined || this.#isFreed) {
      throw new KeylessError("SIGN_FAILED", "the key was given back: its store is closed");
    }
    return this.#key;
  }
}
