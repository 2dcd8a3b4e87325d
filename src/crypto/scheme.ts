/**
 * The schemes that a private key may be used with: over a digest that is already computed, except
 * Ed25519, which signs the message itself, and the raw decryption, which takes a whole block.
 *
 * Sources: RFC 8017 sections 8.1, 8.2 and 5.1.2; FIPS 186-5 section 6; RFC 8032 section 5.1.
 */
export const SCHEMES = {
  "rsa-decrypt": { keyType: "rsa", padding: "none", hash: undefined },
  "rsa-md5sha1": { keyType: "rsa", padding: "pkcs1", hash: "md5-sha1" },
  "rsa-sha1": { keyType: "rsa", padding: "pkcs1", hash: "sha1" },
  "rsa-sha224": { keyType: "rsa", padding: "pkcs1", hash: "sha224" },
  "rsa-sha256": { keyType: "rsa", padding: "pkcs1", hash: "sha256" },
  "rsa-sha384": { keyType: "rsa", padding: "pkcs1", hash: "sha384" },
  "rsa-sha512": { keyType: "rsa", padding: "pkcs1", hash: "sha512" },
  "rsa-pss-sha256": { keyType: "rsa", padding: "pss", hash: "sha256" },
  "rsa-pss-sha384": { keyType: "rsa", padding: "pss", hash: "sha384" },
  "rsa-pss-sha512": { keyType: "rsa", padding: "pss", hash: "sha512" },
  "ecdsa-md5sha1": { keyType: "ec", padding: undefined, hash: "md5-sha1" },
  "ecdsa-sha1": { keyType: "ec", padding: undefined, hash: "sha1" },
  "ecdsa-sha224": { keyType: "ec", padding: undefined, hash: "sha224" },
  "ecdsa-sha256": { keyType: "ec", padding: undefined, hash: "sha256" },
  "ecdsa-sha384": { keyType: "ec", padding: undefined, hash: "sha384" },
  "ecdsa-sha512": { keyType: "ec", padding: undefined, hash: "sha512" },
  "ed25519": { keyType: "ed25519", padding: undefined, hash: undefined },
} as const;

export type Scheme = keyof typeof SCHEMES;
export type SignScheme = Exclude<Scheme, "rsa-decrypt">;
export type KeyType = (typeof SCHEMES)[Scheme]["keyType"];

/** In the order of the table: between threads a scheme travels as its place here. */
export const SCHEME_NAMES = Object.keys(SCHEMES) as Scheme[];

/** What any key of a type can sign: SHA-256 fits every RSA key that is loaded, and every curve. */
export const SAMPLE_SCHEMES: Readonly<Record<KeyType, SignScheme>> = {
  rsa: "rsa-sha256",
  ec: "ecdsa-sha256",
  ed25519: "ed25519",
};

/** Bytes of a digest. */
export const DIGEST_BYTES = {
  "md5-sha1": 36,
  "sha1": 20,
  "sha224": 28,
  "sha256": 32,
  "sha384": 48,
  "sha512": 64,
} as const;

export type Hash = keyof typeof DIGEST_BYTES;
