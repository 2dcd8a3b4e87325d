import { KeylessError } from "../errors/errors.ts";
import { type Libcrypto, libcryptoVersion } from "../runtime/libcrypto.ts";
import { checkFit, modulusBytes } from "./check_fit.ts";
import type { Engine, LoadedKey, LoadOptions, PrivateKey, SharedKey } from "./engine.ts";
import { noPrivateKey } from "./key_errors.ts";
import { checkStrength } from "./key_strength.ts";
import { checkConsistency } from "./libcrypto/consistency.ts";
import { encodeDer } from "./libcrypto/der.ts";
import { EcKeys } from "./libcrypto/ec_keys.ts";
import { takeErrors } from "./libcrypto/errors.ts";
import { withKeyDer } from "./libcrypto/key_file.ts";
import { parsePrivateKey } from "./libcrypto/private_key.ts";
import { RsaOperations } from "./libcrypto/rsa_operations.ts";
import { describePublicKey, type KeyShape } from "./public_key.ts";
import type { SignScheme } from "./scheme.ts";

/**
 * OpenSSL 3: in constant time, at the machine's speed. A key's handle is an address that all threads
 * may use at once: of an `EVP_PKEY`, or of an EC key's private value (`EcKeys`).
 *
 * ECDSA goes to `ECDSA_sign` itself, as RSA does to its own functions: an `EVP_PKEY_CTX` for each
 * signature costs P-256 a tenth of its speed.
 */
export class LibcryptoEngine implements Engine {
  readonly name = "libcrypto";
  readonly version: string;
  readonly warning = undefined;
  readonly #libcrypto: Libcrypto;
  readonly #ecKeys: EcKeys;
  readonly #rsa: RsaOperations;
  /** In: the room for a result; out: its length. */
  readonly #length = new BigUint64Array(1);

  constructor(libcrypto: Libcrypto) {
    this.#libcrypto = libcrypto;
    this.version = libcryptoVersion(libcrypto);
    this.#ecKeys = new EcKeys(libcrypto);
    this.#rsa = new RsaOperations(libcrypto);
  }

  load(bytes: Uint8Array, options: LoadOptions = {}): LoadedKey {
    const libcrypto = this.#libcrypto;
    libcrypto.ERR_clear_error();
    const pkey = this.#parse(bytes, options.passphrase);
    let isKept = false;
    try {
      const info = describePublicKey(this.#publicKey(pkey));
      checkStrength(info, options);
      checkConsistency(libcrypto, pkey, info);
      isKept = info.type !== "ec";
      return { info, handle: isKept ? pkey : this.#ecValue(pkey, info) };
    } finally {
      if (!isKept) libcrypto.EVP_PKEY_free(pkey);
    }
  }

  share(key: PrivateKey): SharedKey {
    return key.handle as number;
  }

  adopt(info: KeyShape, handle: SharedKey): PrivateKey {
    return { info, handle };
  }

  sign(key: PrivateKey, scheme: SignScheme, bytes: Uint8Array): Uint8Array {
    const { info } = key;
    checkFit(info, scheme, bytes);
    this.#libcrypto.ERR_clear_error();
    const address = key.handle as number;
    switch (info.type) {
      case "ec": {
        const signature = this.#ecKeys.sign(address, info.bits, bytes);
        if (signature === undefined) throw this.#failure(scheme);
        return signature;
      }
      case "ed25519":
        return this.#signEd25519(address, bytes);
      case "rsa": {
        const signature = this.#rsa.sign(address, modulusBytes(info), scheme, bytes);
        if (signature === undefined) throw this.#failure(scheme);
        return signature;
      }
    }
  }

  decrypt(key: PrivateKey, block: Uint8Array): Uint8Array {
    checkFit(key.info, "rsa-decrypt", block);
    this.#libcrypto.ERR_clear_error();
    const made = this.#rsa.decrypt(key.handle as number, block);
    if (made === undefined) throw this.#failure("rsa-decrypt");
    return made;
  }

  free({ info, handle }: PrivateKey): void {
    if (info.type === "ec") this.#ecKeys.free(handle as number, info.bits);
    else this.#libcrypto.EVP_PKEY_free(handle as number);
  }

  /** An `EVP_PKEY *`. */
  #parse(bytes: Uint8Array, givenPassphrase: Uint8Array | undefined): number {
    const libcrypto = this.#libcrypto;
    const passphrase = withZero(givenPassphrase);
    try {
      return withKeyDer(
        libcrypto,
        bytes,
        passphrase,
        (block) => parsePrivateKey(libcrypto, this.#ecKeys, block, passphrase),
      );
    } finally {
      passphrase?.fill(0);
    }
  }

  #ecValue(pkey: number, { bits }: KeyShape): number {
    const address = this.#ecKeys.copy(this.#libcrypto.EVP_PKEY_get0_EC_KEY(pkey), bits);
    if (address === 0) throw noPrivateKey(takeErrors(this.#libcrypto).join(", "));
    return address;
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

const ED25519_SIGNATURE_BYTES = 64;
