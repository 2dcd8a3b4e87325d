import type { Engine, PrivateKey } from "../crypto/engine.ts";
import type { Scheme, SignScheme } from "../crypto/scheme.ts";
import type { RequestContext, Signer } from "./keystore.ts";
import type { KeyCost } from "./shared_keys.ts";

/** Carries operations out elsewhere than on this event loop, with the engine's own key. */
export interface Elsewhere {
  /** Longer messages are signed here. */
  readonly maxBytes: number;
  /**
   * @param costMs what such an operation takes
   * @returns what was made; the key is no longer in use when it settles
   * @throws KeylessError as `Signer.sign`; further codes where it was not begun
   */
  sign(
    key: PrivateKey,
    scheme: Scheme,
    bytes: Uint8Array,
    costMs: number,
    context: Pick<RequestContext, "deadlineMs" | "signal"> & Partial<RequestContext>,
  ): Promise<Uint8Array>;
}

/**
 * Signs with a key in this process's memory: at once, so that no promise is involved, or elsewhere.
 * Made for one request.
 */
export class SoftwareSigner implements Signer {
  readonly info: KeyCost;
  readonly #engine: Engine;
  readonly #key: () => PrivateKey;
  readonly #elsewhere: Elsewhere | undefined;

  /** @param key asked for each operation: it throws where the key must not be used any more */
  constructor(engine: Engine, info: KeyCost, key: () => PrivateKey, elsewhere?: Elsewhere) {
    this.info = info;
    this.#engine = engine;
    this.#key = key;
    this.#elsewhere = elsewhere;
  }

  sign(
    scheme: SignScheme,
    bytes: Uint8Array,
    context: RequestContext,
  ): Uint8Array | Promise<Uint8Array> {
    const key = this.#key();
    if (this.#elsewhere === undefined || bytes.length > this.#elsewhere.maxBytes) {
      return this.#engine.sign(key, scheme, bytes);
    }
    return this.#elsewhere.sign(key, scheme, bytes, this.info.costMs, context);
  }

  decrypt(block: Uint8Array, context: RequestContext): Uint8Array | Promise<Uint8Array> {
    const key = this.#key();
    if (this.#elsewhere === undefined) return this.#engine.decrypt(key, block);
    return this.#elsewhere.sign(key, "rsa-decrypt", block, this.info.costMs, context);
  }
}
