import type { Libcrypto } from "../../runtime/libcrypto.ts";

/**
 * EC private keys as their private values alone, in native memory: 32 bytes for P-256, where an
 * `EVP_PKEY` takes 2.2 KB, most of them copies of the curve's own numbers.
 *
 * For a signature, the value is read into an `EC_KEY` that is kept for its curve, and overwritten
 * there afterwards; that takes no longer than fetching it out of an `EVP_PKEY`. Threads that use one
 * value have an `EC_KEY` each.
 */
export class EcKeys {
  readonly #libcrypto: Libcrypto;
  /** An `EC_KEY *` each, by the NID of its curve. */
  readonly #kept = new Map<number, number>();
  readonly #signature = new Uint8Array(MAX_SIGNATURE_BYTES);
  /** An `unsigned int *`. */
  readonly #length = new BigUint64Array(1);

  constructor(libcrypto: Libcrypto) {
    this.#libcrypto = libcrypto;
  }

  /**
   * An `EC_KEY *` without a key, the caller's; 0 for a curve that libcrypto does not know. The curve
   * is copied, which takes a tenth of the time of making it anew.
   */
  create(nid: number): number {
    const kept = this.#keptOf(nid);
    if (kept === 0) return 0;
    const key = this.#libcrypto.EC_KEY_new();
    this.#libcrypto.EC_KEY_set_group(key, this.#libcrypto.EC_KEY_get0_group(kept));
    return key;
  }

  /**
   * Copies a private value out.
   *
   * @param key an `EC_KEY *`
   * @returns the copy's address, good in all threads until it is freed; 0 where it fails
   */
  copy(key: number, bits: number): number {
    const lengthBytes = valueBytes(bits);
    const address = this.#libcrypto.CRYPTO_malloc(lengthBytes, 0, 0);
    if (address === 0) return 0;
    if (this.#libcrypto.EC_KEY_priv2oct(key, address, lengthBytes) === lengthBytes) return address;
    this.free(address, bits);
    return 0;
  }

  /** Overwrites the value and gives its memory back. */
  free(address: number, bits: number): void {
    this.#libcrypto.CRYPTO_clear_free(address, valueBytes(bits), 0, 0);
  }

  /** ECDSA in DER; undefined where it fails. */
  sign(address: number, bits: number, digest: Uint8Array): Uint8Array | undefined {
    const libcrypto = this.#libcrypto;
    const key = this.#keptOf(NIDS.get(bits)!);
    this.#length[0] = 0n;
    const isDone = libcrypto.EC_KEY_oct2priv(key, address, valueBytes(bits)) === 1 &&
      libcrypto.ECDSA_sign(0, digest, digest.length, this.#signature, this.#length, key) === 1;
    libcrypto.EC_KEY_set_private_key(key, 0); // overwrites it
    return isDone ? this.#signature.slice(0, Number(this.#length[0])) : undefined;
  }

  #keptOf(nid: number): number {
    let key = this.#kept.get(nid);
    if (key === undefined) {
      key = this.#libcrypto.EC_KEY_new_by_curve_name(nid);
      this.#kept.set(nid, key);
    }
    return key;
  }
}

/** Of the order, which is as long as the field on every curve that is served. */
function valueBytes(bits: number): number {
  return Math.ceil(bits / 8);
}

/** obj_mac.h: P-224, P-256, P-384, P-521. */
const NIDS: ReadonlyMap<number, number> = new Map([[224, 713], [256, 415], [384, 715], [521, 716]]);

/** More than the longest: two numbers of 66 bytes (P-521) in DER. */
const MAX_SIGNATURE_BYTES = 160;
