import { Buffer } from "node:buffer";
import { constants, createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { KeylessError } from "../errors/errors.ts";
import { PORTABLE_CURVES } from "./portable/ecdsa.ts";
import type { PublicKeyInfo } from "./public_key.ts";
import { DIGEST_BYTES, type Hash, SCHEMES, type SignScheme } from "./scheme.ts";

/** What a key server signs for a message: its digest, or the message itself for Ed25519. */
export function digestOf(scheme: SignScheme, message: Uint8Array): Uint8Array {
  const { hash } = SCHEMES[scheme];
  if (hash === undefined) return message;
  const parts = HASH_PARTS[hash].map((name) => createHash(name).update(message).digest());
  return new Uint8Array(Buffer.concat(parts));
}

/**
 * Whether a signature is right for a message, computed without the engines that sign.
 *
 * @throws KeylessError "KEY_UNSUPPORTED" for what cannot be verified here: a key of another type
 *   than the scheme's, and P-224 with a digest that the runtime lacks
 */
export function verifySignature(
  key: PublicKeyInfo,
  scheme: SignScheme,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { keyType, padding, hash } = SCHEMES[scheme];
  if (keyType !== key.type) {
    throw new KeylessError(
      "KEY_UNSUPPORTED",
      `${scheme} is no scheme of a key of type ${key.type}`,
    );
  }
  const spki = Buffer.from(key.spki.buffer, key.spki.byteOffset, key.spki.length);
  const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
  if (hash === undefined) return verify(undefined, message, publicKey, signature);
  if (padding === "pss") {
    const saltLength = DIGEST_BYTES[hash];
    const options = { key: publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
    return verify(hash, message, options, signature);
  }
  const curve = key.curve === undefined ? undefined : PORTABLE_CURVES[key.curve];
  if (curve === undefined || scheme === defaultScheme(key)) {
    return verifyByRuntime(hash, message, publicKey, signature);
  }
  // not by the runtime: Deno takes no digest of less than half the curve's length
  const options = { prehash: false, lowS: false, format: "der" } as const;
  try {
    return curve.verify(signature, digestOf(scheme, message), pointOf(publicKey), options);
  } catch { // no signature in DER
    return false;
  }
}

/** The scheme that suits a key best where nobody chose one. */
export function defaultScheme(key: PublicKeyInfo): SignScheme {
  if (key.type === "rsa") return "rsa-sha256";
  if (key.type === "ed25519") return "ed25519";
  return key.curve === undefined ? "ecdsa-sha256" : CURVE_SCHEMES[key.curve];
}

const HASH_PARTS: Readonly<Record<Hash, readonly string[]>> = {
  "md5-sha1": ["md5", "sha1"],
  "sha1": ["sha1"],
  "sha224": ["sha224"],
  "sha256": ["sha256"],
  "sha384": ["sha384"],
  "sha512": ["sha512"],
};

/** As strong as the curve: RFC 8446 section 4.2.3. */
const CURVE_SCHEMES = {
  "P-224": "ecdsa-sha224",
  "P-256": "ecdsa-sha256",
  "P-384": "ecdsa-sha384",
  "P-521": "ecdsa-sha512",
} as const;

function verifyByRuntime(
  hash: Hash,
  message: Uint8Array,
  publicKey: KeyObject,
  signature: Uint8Array,
): boolean {
  try {
    return verify(hash, message, publicKey, signature);
  } catch (error) {
    throw new KeylessError(
      "KEY_UNSUPPORTED",
      `this runtime cannot verify a signature with ${hash} by this key; choose another scheme`,
      { cause: error },
    );
  }
}

/** SEC 1 section 2.3.3, uncompressed. */
function pointOf(publicKey: KeyObject): Uint8Array {
  const { x, y } = publicKey.export({ format: "jwk" });
  return new Uint8Array(
    Buffer.concat([Buffer.of(4), Buffer.from(x!, "base64url"), Buffer.from(y!, "base64url")]),
  );
}
