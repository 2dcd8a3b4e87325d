import type { KeyType } from "./scheme.ts";

/** What can be told of a key from its public half. */
export interface PublicKeyInfo {
  readonly type: KeyType;
  /** RSA: of the modulus; EC: of the field; Ed25519: 256. */
  readonly bits: number;
  /** "P-256" and the like; undefined for keys that are not EC. */
  readonly curve: string | undefined;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** SHA-1 of the contents of the SubjectPublicKey bit string: 20 bytes (RFC 5280 4.2.1.2, method 1). */
  readonly ski: Uint8Array;
  /** RSA: SHA-256 of the modulus in upper-case hexadecimal, 32 bytes; else undefined. */
  readonly digest: Uint8Array | undefined;
}
