import { KeylessError } from "../errors/errors.ts";
import { DIGEST_INFO_PREFIXES } from "./digest_info.ts";
import { keyLabel, type KeyShape } from "./public_key.ts";
import { DIGEST_BYTES, type Hash, type Scheme, SCHEMES } from "./scheme.ts";

/**
 * Checks that a scheme fits the key, the bytes fit the scheme, and the padding fits the modulus.
 * The one thing left to the engines is whether a raw RSA block is below the modulus.
 *
 * @throws KeylessError "SIGN_REFUSED"
 */
export function checkFit(info: KeyShape, scheme: Scheme, bytes: Uint8Array): void {
  const { keyType, hash, padding } = SCHEMES[scheme];
  if (info.type !== keyType) {
    throw refused(`${scheme} does not fit a key of kind ${keyLabel(info)}`);
  }
  if (padding === "none") {
    checkLength(scheme, "block", bytes, modulusBytes(info));
    return;
  }
  if (hash === undefined) return; // a message, of any length
  checkLength(scheme, "digest", bytes, DIGEST_BYTES[hash]);
  if (padding === undefined) return;
  const needed = NEEDED_BYTES[padding](hash);
  const room = padding === "pss" ? pssBytes(info) : modulusBytes(info);
  if (needed > room) {
    throw refused(`${scheme} needs a key of ${needed} bytes; ${keyLabel(info)} has ${room}`);
  }
}

/** Bytes of an RSA key's modulus, of its signatures and of its raw blocks. */
export function modulusBytes(info: KeyShape): number {
  return Math.ceil(info.bits / 8);
}

/** Bytes of a PSS encoded message: one bit shorter than the modulus (RFC 8017 section 8.1.1). */
export function pssBytes(info: KeyShape): number {
  return Math.ceil((info.bits - 1) / 8);
}

/** The shortest encoded message of each padding: RFC 8017 sections 9.2 step 3 and 9.1.1 step 3. */
const NEEDED_BYTES = {
  pkcs1: (hash: Hash) => DIGEST_INFO_PREFIXES[hash].length / 2 + DIGEST_BYTES[hash] + 11,
  pss: (hash: Hash) => DIGEST_BYTES[hash] + DIGEST_BYTES[hash] + 2,
};

function checkLength(scheme: Scheme, what: string, bytes: Uint8Array, wanted: number): void {
  if (bytes.length === wanted) return;
  throw refused(`${scheme} takes a ${what} of ${wanted} bytes, not of ${bytes.length}`);
}

function refused(why: string): KeylessError {
  return new KeylessError("SIGN_REFUSED", why);
}
