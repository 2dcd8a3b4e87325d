import { Buffer } from "node:buffer";
import { checkFit } from "../crypto/check_fit.ts";
import type { Scheme, SignScheme } from "../crypto/scheme.ts";
import { KeylessError } from "../errors/errors.ts";
import { DigestTable } from "../keystore/digest_table.ts";
import type { KeyQuery, Keystore, RequestContext, Signer } from "../keystore/keystore.ts";
import type { HsmClient } from "./hsm_client.ts";
import { mechanismNameOf } from "./operations.ts";
import type { SharedHsmKey, SharedHsmKeys } from "./shared_hsm_keys.ts";

/** Whether a signature over a digest (Ed25519: a message) is right; `spki` is the key's. */
export type VerifyDigest = (
  spki: Uint8Array,
  scheme: SignScheme,
  bytes: Uint8Array,
  signature: Uint8Array,
) => boolean;

export interface HsmKeystoreOptions {
  /** Verifies each signature before it leaves. */
  readonly verify?: VerifyDigest | undefined;
}

/** A worker's view of the keys in tokens. */
export class HsmKeystore implements Keystore {
  readonly #keys: SharedHsmKeys;
  readonly #client: Pick<HsmClient, "perform">;
  readonly #options: HsmKeystoreOptions;
  readonly #bySki: DigestTable;
  readonly #byDigest: DigestTable;

  constructor(
    keys: SharedHsmKeys,
    client: Pick<HsmClient, "perform">,
    options: HsmKeystoreOptions = {},
  ) {
    this.#keys = keys;
    this.#client = client;
    this.#options = options;
    this.#bySki = new DigestTable(keys.bySki);
    this.#byDigest = new DigestTable(keys.byDigest);
  }

  /** As `SharedStore.find`. */
  find({ ski, digest }: KeyQuery): HsmSigner | undefined {
    if (ski !== undefined && ski.length > 0) return this.#signerAt(this.#bySki.find(ski));
    if (digest !== undefined) return this.#signerAt(this.#byDigest.find(digest));
    return undefined;
  }

  #signerAt(position: number): HsmSigner | undefined {
    const info = this.#keys.keys[position];
    return info && new HsmSigner(info, position, this.#client, this.#options);
  }
}

/** Signs with a key in a token. Made for one request. */
export class HsmSigner implements Signer {
  readonly info: SharedHsmKey;
  readonly #position: number;
  readonly #client: Pick<HsmClient, "perform">;
  readonly #options: HsmKeystoreOptions;

  constructor(
    info: SharedHsmKey,
    position: number,
    client: Pick<HsmClient, "perform">,
    options: HsmKeystoreOptions,
  ) {
    this.info = info;
    this.#position = position;
    this.#client = client;
    this.#options = options;
  }

  async sign(
    scheme: SignScheme,
    bytes: Uint8Array,
    context: RequestContext,
  ): Promise<Uint8Array> {
    const { verify } = this.#options;
    const kept = verify && bytes.slice();
    const made = await this.#perform(scheme, bytes, context);
    if (verify === undefined || verify(this.info.spki, scheme, kept!, made)) return made;
    throw new KeylessError(
      "SIGN_FAILED",
      `the token made a signature by ${scheme} that does not verify`,
    );
  }

  async decrypt(block: Uint8Array, context: RequestContext): Promise<Uint8Array> {
    const { modulus } = this.info;
    if (modulus?.length === block.length && Buffer.compare(block, modulus) >= 0) {
      // tokens say so in many ways, some of which mean a failure of theirs
      throw new KeylessError("SIGN_REFUSED", "the block is not below the modulus");
    }
    return await this.#perform("rsa-decrypt", block, context);
  }

  #perform(scheme: Scheme, bytes: Uint8Array, context: RequestContext): Promise<Uint8Array> {
    checkFit(this.info, scheme, bytes);
    const mechanism = mechanismNameOf(scheme);
    if (!this.info.mechanisms.includes(mechanism)) {
      throw new KeylessError("SIGN_REFUSED", `the token does not let the key do ${mechanism}`);
    }
    return this.#client.perform(this.#position, scheme, bytes, context);
  }
}
