import type { Libcrypto } from "../../runtime/libcrypto.ts";
import { DIGEST_BYTES, type Hash, SCHEMES, type SignScheme } from "../scheme.ts";

/**
 * RSA private-key operations by OpenSSL's functions for RSA alone. An `EVP_PKEY_CTX` for each would
 * cost RSA-2048 some 4 % of its speed, most of it in locks that threads share, and the first for a
 * key a second copy of it. The arithmetic is the same: blinded, and what was made by the Chinese
 * remainder theorem is checked before it is given out.
 */
export class RsaOperations {
  readonly #libcrypto: Libcrypto;
  readonly #digests: ReadonlyMap<Hash, Digest>;
  /** An `unsigned int *`. */
  readonly #length = new BigUint64Array(1);

  constructor(libcrypto: Libcrypto) {
    this.#libcrypto = libcrypto;
    this.#digests = digestsOf(libcrypto);
  }

  /**
   * PKCS#1 v1.5 or PSS, whose salt is as long as the digest and whose MGF1 takes the digest's hash.
   *
   * @param pkey an `EVP_PKEY *` of RSA
   * @param sizeBytes of its modulus
   * @returns undefined where it fails
   */
  sign(
    pkey: number,
    sizeBytes: number,
    scheme: SignScheme,
    digest: Uint8Array,
  ): Uint8Array | undefined {
    const libcrypto = this.#libcrypto;
    const rsa = libcrypto.EVP_PKEY_get0_RSA(pkey);
    const { hash, padding } = SCHEMES[scheme];
    const { md, nid } = this.#digests.get(hash!)!;
    const made = new Uint8Array(sizeBytes);
    if (padding !== "pss") {
      const isDone = libcrypto.RSA_sign(nid, digest, digest.length, made, this.#length, rsa) === 1;
      return isDone ? made : undefined;
    }
    const salt = RSA_PSS_SALTLEN_DIGEST;
    const padded = new Uint8Array(sizeBytes);
    const isPadded =
      libcrypto.RSA_padding_add_PKCS1_PSS_mgf1(rsa, padded, digest, md, md, salt) === 1;
    if (!isPadded) return undefined;
    const length = libcrypto.RSA_private_encrypt(sizeBytes, padded, made, rsa, RSA_NO_PADDING);
    return length === sizeBytes ? made : undefined;
  }

  /** The raw operation on a block of modulus length; undefined where it fails. */
  decrypt(pkey: number, block: Uint8Array): Uint8Array | undefined {
    const libcrypto = this.#libcrypto;
    const rsa = libcrypto.EVP_PKEY_get0_RSA(pkey);
    const result = new Uint8Array(block.length);
    const length = libcrypto.RSA_private_decrypt(block.length, block, result, rsa, RSA_NO_PADDING);
    return length === block.length ? result : undefined;
  }
}

export interface Digest {
  /** An `EVP_MD *`. */
  readonly md: number;
  /** Its number in OpenSSL. */
  readonly nid: number;
}

/** The hashes of the schemes, in libcrypto. */
export function digestsOf(libcrypto: Libcrypto): ReadonlyMap<Hash, Digest> {
  const hashes = Object.keys(DIGEST_BYTES) as Hash[];
  const encoder = new TextEncoder();
  return new Map(
    hashes.map((hash) => {
      const md = libcrypto.EVP_get_digestbyname(encoder.encode(`${hash}\0`));
      return [hash, { md, nid: libcrypto.EVP_MD_get_type(md) }];
    }),
  );
}

// rsa.h
export const RSA_NO_PADDING = 3;
export const RSA_PSS_SALTLEN_DIGEST = -1;
