import { KeylessError } from "../../errors/errors.ts";
import type { Libcrypto } from "../../runtime/libcrypto.ts";
import { type Hash, SCHEMES, type SignScheme } from "../scheme.ts";
import { takeErrors } from "./errors.ts";
import {
  type Digest,
  digestsOf,
  RSA_NO_PADDING,
  RSA_PSS_SALTLEN_DIGEST,
} from "./rsa_operations.ts";

/** Verifies signatures over ready digests (Ed25519: over messages) with public keys. */
export class DigestVerifier {
  readonly #libcrypto: Libcrypto;
  readonly #digests: ReadonlyMap<Hash, Digest>;

  constructor(libcrypto: Libcrypto) {
    this.#libcrypto = libcrypto;
    this.#digests = digestsOf(libcrypto);
  }

  /**
   * Reads a public key, which stays in memory for the life of the process.
   *
   * @param spki SubjectPublicKeyInfo, DER
   * @returns an `EVP_PKEY *`
   * @throws KeylessError "KEY_FORMAT"
   */
  publicKey(spki: Uint8Array): number {
    const libcrypto = this.#libcrypto;
    const bio = libcrypto.BIO_new(libcrypto.BIO_s_mem());
    try {
      libcrypto.BIO_write(bio, spki, spki.length);
      const pkey = libcrypto.d2i_PUBKEY_bio(bio, 0);
      if (pkey !== 0) return pkey;
      const reasons = takeErrors(libcrypto).join(", ");
      throw new KeylessError("KEY_FORMAT", `not a public key that can be read: ${reasons}`);
    } finally {
      libcrypto.BIO_free(bio);
    }
  }

  /**
   * @param pkey of `publicKey`, of the scheme's type
   * @param bytes a digest that fits the scheme; for Ed25519 the message
   */
  verify(pkey: number, scheme: SignScheme, bytes: Uint8Array, signature: Uint8Array): boolean {
    const isRight = this.#verify(pkey, scheme, bytes, signature);
    if (!isRight) this.#libcrypto.ERR_clear_error();
    return isRight;
  }

  #verify(pkey: number, scheme: SignScheme, bytes: Uint8Array, signature: Uint8Array): boolean {
    const libcrypto = this.#libcrypto;
    const { keyType, padding, hash } = SCHEMES[scheme];
    switch (keyType) {
      case "ec": {
        const key = libcrypto.EVP_PKEY_get0_EC_KEY(pkey);
        const { length } = signature;
        return libcrypto.ECDSA_verify(0, bytes, bytes.length, signature, length, key) === 1;
      }
      case "ed25519":
        return this.#verifyEd25519(pkey, bytes, signature);
      case "rsa": {
        const { md, nid } = this.#digests.get(hash)!;
        const rsa = libcrypto.EVP_PKEY_get0_RSA(pkey);
        if (padding === "pss") return this.#verifyPss(rsa, md, bytes, signature);
        const { length } = signature;
        return libcrypto.RSA_verify(nid, bytes, bytes.length, signature, length, rsa) === 1;
      }
    }
  }

  /** RFC 8017 section 8.1.2, with a salt as long as the digest. */
  #verifyPss(rsa: number, md: number, digest: Uint8Array, signature: Uint8Array): boolean {
    const libcrypto = this.#libcrypto;
    const length = libcrypto.RSA_size(rsa);
    if (signature.length !== length) return false; // a shorter block would be written past
    const block = new Uint8Array(length);
    const opened = libcrypto.RSA_public_decrypt(length, signature, block, rsa, RSA_NO_PADDING);
    const salt = RSA_PSS_SALTLEN_DIGEST;
    return opened === length &&
      libcrypto.RSA_verify_PKCS1_PSS_mgf1(rsa, digest, md, md, block, salt) === 1;
  }

  #verifyEd25519(pkey: number, message: Uint8Array, signature: Uint8Array): boolean {
    const libcrypto = this.#libcrypto;
    const context = libcrypto.EVP_MD_CTX_new();
    try {
      const { length } = signature;
      return libcrypto.EVP_DigestVerifyInit(context, 0, 0, 0, pkey) === 1 &&
        libcrypto.EVP_DigestVerify(context, signature, length, message, message.length) === 1;
    } finally {
      libcrypto.EVP_MD_CTX_free(context);
    }
  }
}
