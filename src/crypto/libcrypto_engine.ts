import { KeylessError } from "../errors/errors.ts";
import { type Libcrypto, libcryptoVersion } from "../runtime/libcrypto.ts";
import { checkFit, modulusBytes } from "./check_fit.ts";
import type { Engine, LoadOptions, PrivateKey } from "./engine.ts";
import { noPrivateKey } from "./key_errors.ts";
import { checkStrength } from "./key_strength.ts";
import { checkConsistency } from "./libcrypto/consistency.ts";
import { encodeDer } from "./libcrypto/der.ts";
import { takeErrors } from "./libcrypto/errors.ts";
import { withKeyDer } from "./libcrypto/key_file.ts";
import { parsePrivateKey } from "./libcrypto/private_key.ts";
import { describePublicKey, type KeyShape } from "./public_key.ts";
import { DIGEST_BYTES, type Hash, SCHEMES, type SignScheme } from "./scheme.ts";

/** As much of a key as travels to other threads. */
export interface LibcryptoKey {
  readonly info: KeyShape;
  /** The address of an `EVP_PKEY`. */
  readonly handle: unknown;
}

/**
 * OpenSSL 3: in constant time, at the machine's speed. A key's handle is the address of an
 * `EVP_PKEY`, which several threads may use at once.
 *
 * ECDSA goes to `ECDSA_sign` itself: an `EVP_PKEY_CTX` for each signature costs P-256 a tenth of
 * its speed, and the first one a second copy of the key. OpenSSL checks an RSA result that it made
 * by the Chinese remainder theorem before it gives it out.
 */
export class LibcryptoEngine implements Engine {
  readonly name = "libcrypto";
  readonly version: string;
  readonly warning = undefined;
  readonly #libcrypto: Libcrypto;
  /** An `EVP_MD *` each. */
  readonly #digests: ReadonlyMap<Hash, number>;
  readonly #scratch = new Uint8Array(SCRATCH_BYTES);
  /** In: the room for a result; out: its length. */
  readonly #length = new BigUint64Array(1);

  constructor(libcrypto: Libcrypto) {
    this.#libcrypto = libcrypto;
    this.version = libcryptoVersion(libcrypto);
    this.#digests = digestsOf(libcrypto);
  }

  load(bytes: Uint8Array, options: LoadOptions = {}): PrivateKey {
    const libcrypto = this.#libcrypto;
    libcrypto.ERR_clear_error();
    const passphrase = withZero(options.passphrase);
    let pkey: number;
    try {
      pkey = withKeyDer(
        libcrypto,
        bytes,
        passphrase,
        (block) => parsePrivateKey(libcrypto, block, passphrase),
      );
    } finally {
      passphrase?.fill(0);
    }
    try {
      const info = describePublicKey(this.#publicKey(pkey));
      checkStrength(info, options);
      checkConsistency(libcrypto, pkey, info);
      return { info, handle: pkey };
    } catch (error) {
      libcrypto.EVP_PKEY_free(pkey);
      throw error;
    }
  }

  sign(key: LibcryptoKey, scheme: SignScheme, bytes: Uint8Array): Uint8Array {
    checkFit(key.info, scheme, bytes);
    this.#libcrypto.ERR_clear_error();
    const pkey = key.handle as number;
    switch (key.info.type) {
      case "ec":
        return this.#signEcdsa(pkey, scheme, bytes);
      case "ed25519":
        return this.#signEd25519(pkey, bytes);
      case "rsa":
        return this.#signRsa(pkey, modulusBytes(key.info), scheme, bytes);
    }
  }

  decrypt(key: LibcryptoKey, block: Uint8Array): Uint8Array {
    checkFit(key.info, "rsa-decrypt", block);
    const libcrypto = this.#libcrypto;
    libcrypto.ERR_clear_error();
    const context = libcrypto.EVP_PKEY_CTX_new(key.handle as number, 0);
    try {
      const result = new Uint8Array(block.length);
      this.#length[0] = BigInt(result.length);
      const isDone = libcrypto.EVP_PKEY_decrypt_init(context) === 1 &&
        libcrypto.EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) === 1 &&
        libcrypto.EVP_PKEY_decrypt(context, result, this.#length, block, block.length) === 1;
      if (!isDone) throw this.#failure("rsa-decrypt");
      return result;
    } finally {
      libcrypto.EVP_PKEY_CTX_free(context);
    }
  }

  free(key: PrivateKey): void {
    this.#libcrypto.EVP_PKEY_free(key.handle as number);
  }

  #signEcdsa(pkey: number, scheme: SignScheme, digest: Uint8Array): Uint8Array {
    const libcrypto = this.#libcrypto;
    const key = libcrypto.EVP_PKEY_get0_EC_KEY(pkey);
    const out = this.#scratch;
    this.#length[0] = 0n;
    if (libcrypto.ECDSA_sign(0, digest, digest.length, out, this.#length, key) !== 1) {
      throw this.#failure(scheme);
    }
    return out.slice(0, Number(this.#length[0]));
  }

  #signEd25519(pkey: number, message: Uint8Array): Uint8Array {
    const libcrypto = this.#libcrypto;
    const context = libcrypto.EVP_MD_CTX_new();
    try {
      const signature = new Uint8Array(ED25519_SIGNATURE_BYTES);
      this.#length[0] = BigInt(signature.length);
      const isDone = libcrypto.EVP_DigestSignInit(context, 0, 0, 0, pkey) === 1 &&
        libcrypto.EVP_DigestSign(context, signature, this.#length, message, message.length) === 1;
      if (!isDone) throw this.#failure("ed25519");
      return signature;
    } finally {
      libcrypto.EVP_MD_CTX_free(context);
    }
  }

  #signRsa(pkey: number, sizeBytes: number, scheme: SignScheme, digest: Uint8Array): Uint8Array {
    const libcrypto = this.#libcrypto;
    const { hash, padding } = SCHEMES[scheme];
    const context = libcrypto.EVP_PKEY_CTX_new(pkey, 0);
    try {
      const signature = new Uint8Array(sizeBytes);
      this.#length[0] = BigInt(sizeBytes);
      const isDone = libcrypto.EVP_PKEY_sign_init(context) === 1 &&
        this.#setPadding(context, padding === "pss") &&
        libcrypto.EVP_PKEY_CTX_set_signature_md(context, this.#digests.get(hash!)!) === 1 &&
        libcrypto.EVP_PKEY_sign(context, signature, this.#length, digest, digest.length) === 1;
      if (!isDone) throw this.#failure(scheme);
      return signature;
    } finally {
      libcrypto.EVP_PKEY_CTX_free(context);
    }
  }

  /** PSS: the salt is as long as the digest, and MGF1 takes the digest's hash. */
  #setPadding(context: number, isPss: boolean): boolean {
    const libcrypto = this.#libcrypto;
    if (!isPss) return libcrypto.EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) === 1;
    return libcrypto.EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) === 1 &&
      libcrypto.EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) === 1;
  }

  /** SubjectPublicKeyInfo, DER. */
  #publicKey(pkey: number): Uint8Array {
    const libcrypto = this.#libcrypto;
    const spki = encodeDer(libcrypto, (out) => libcrypto.i2d_PUBKEY(pkey, out));
    if (spki === undefined) throw noPrivateKey(takeErrors(libcrypto).join(", "));
    return spki;
  }

  #failure(what: string): KeylessError {
    const reason = takeErrors(this.#libcrypto).join(", ");
    if (reason.includes("data too large for modulus")) {
      return new KeylessError("SIGN_REFUSED", `${what}: the block is not below the modulus`);
    }
    return new KeylessError("SIGN_FAILED", `${what} failed in OpenSSL: ${reason}`);
  }
}

/** A copy that ends with the zero byte that C wants; the caller overwrites it. */
function withZero(passphrase: Uint8Array | undefined): Uint8Array | undefined {
  if (passphrase === undefined) return undefined;
  const copy = new Uint8Array(passphrase.length + 1);
  copy.set(passphrase);
  return copy;
}

function digestsOf(libcrypto: Libcrypto): ReadonlyMap<Hash, number> {
  const hashes = Object.keys(DIGEST_BYTES) as Hash[];
  const encoder = new TextEncoder();
  return new Map(
    hashes.map((hash) => [hash, libcrypto.EVP_get_digestbyname(encoder.encode(`${hash}\0`))]),
  );
}

/** More than the longest ECDSA signature: two numbers of 66 bytes (P-521) in DER. */
const SCRATCH_BYTES = 160;
const ED25519_SIGNATURE_BYTES = 64;

// rsa.h
const RSA_PKCS1_PADDING = 1;
const RSA_NO_PADDING = 3;
const RSA_PKCS1_PSS_PADDING = 6;
const RSA_PSS_SALTLEN_DIGEST = -1;
