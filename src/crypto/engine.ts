import type { KeyShape, PublicKeyInfo } from "./public_key.ts";
import type { SignScheme } from "./scheme.ts";

/** A private key in an engine's hands. `handle` means something to its engine alone. */
export interface PrivateKey {
  readonly info: KeyShape;
  readonly handle: unknown;
}

/** A private key with all that its public half tells. */
export interface LoadedKey extends PrivateKey {
  readonly info: PublicKeyInfo;
}

/**
 * A private key on its way to another thread of the process: the address of memory that all threads
 * see, or an encoding of which each makes a key of its own.
 */
export type SharedKey = number | Uint8Array;

export interface LoadOptions {
  /**
   * For an encrypted key, as UTF-8 bytes without a terminating zero; the caller owns and
   * overwrites them.
   */
  readonly passphrase?: Uint8Array | undefined;
  /** Accept RSA keys of less than 2,048 bits. */
  readonly allowWeak?: boolean | undefined;
}

/**
 * Private-key arithmetic. Engines check that scheme, digest and key fit (`checkFit`) before they
 * compute, and every result is right or an error: no signature leaves unverified unless the engine
 * guards against faults itself.
 */
export interface Engine {
  readonly name: EngineName;
  /** As the library spells it, for the log: "OpenSSL 3.0.19 27 Jan 2026". */
  readonly version: string;
  /** What the operator should be told at the start: what this engine lacks or risks. */
  readonly warning: string | undefined;

  /**
   * Parses one private key: PEM or DER; PKCS#8 (plain or encrypted), PKCS#1 or SEC1. The bytes stay
   * the caller's, who overwrites them afterwards.
   *
   * @throws KeylessError "KEY_FORMAT", "KEY_PASSPHRASE", "KEY_WEAK", "KEY_UNSUPPORTED"
   */
  load(bytes: Uint8Array, options?: LoadOptions): LoadedKey;

  /**
   * What `adopt` takes in another thread, the same kind for every key of the engine. An address is
   * good until this thread frees the key; an encoding is a fresh buffer, which the caller overwrites.
   */
  share(key: PrivateKey): SharedKey;

  /**
   * The key that another thread has shared. One made of an address is never freed here, and costs
   * nothing to make; one made of an encoding belongs to this thread.
   */
  adopt(shape: KeyShape, shared: SharedKey): PrivateKey;

  /**
   * Signs a digest (Ed25519: a message).
   *
   * @returns a fresh buffer: RSA of modulus length, ECDSA as DER, Ed25519 64 bytes
   * @throws KeylessError "SIGN_REFUSED" where key, scheme and digest do not fit, "SIGN_FAILED"
   */
  sign(key: PrivateKey, scheme: SignScheme, bytes: Uint8Array): Uint8Array;

  /**
   * The raw RSA private-key operation on a block of modulus length (RFC 8017 5.1.2).
   *
   * @returns a fresh buffer: the whole padded block, of modulus length
   * @throws KeylessError "SIGN_REFUSED" for a key that is not RSA, a block of another length or not
   *   below the modulus; "SIGN_FAILED"
   */
  decrypt(key: PrivateKey, block: Uint8Array): Uint8Array;

  /** Gives the key's memory back; the key must not be used afterwards. */
  free(key: PrivateKey): void;
}

export const ENGINE_NAMES = ["libcrypto", "portable"] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];
