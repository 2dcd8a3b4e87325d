import { DigestVerifier } from "../crypto/libcrypto/verify_digest.ts";
import { openLibcrypto } from "../runtime/libcrypto.ts";
import type { VerifyDigest } from "./hsm_keystore.ts";

/**
 * Verifies by libcrypto; each public key is read once.
 *
 * @throws KeylessError "ENGINE_MISSING"
 */
export function verifyByLibcrypto(): VerifyDigest {
  const verifier = new DigestVerifier(openLibcrypto());
  const keys = new WeakMap<Uint8Array, number>();
  return (spki, scheme, bytes, signature) => {
    let pkey = keys.get(spki);
    if (pkey === undefined) keys.set(spki, pkey = verifier.publicKey(spki));
    return verifier.verify(pkey, scheme, bytes, signature);
  };
}
