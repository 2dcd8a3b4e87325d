import { type PublicKeyInfo, rsaModulus } from "../crypto/public_key.ts";
import { DigestTable, type DigestTableMemory } from "../keystore/digest_table.ts";
import type { MechanismName } from "./operations.ts";
import type { UsableKey } from "./usable_key.ts";

/** The keys of tokens for workers, which ask the main thread by their positions: a plain record. */
export interface SharedHsmKeys {
  readonly bySki: DigestTableMemory;
  /** RSA keys alone. */
  readonly byDigest: DigestTableMemory;
  /** By position. */
  readonly keys: readonly SharedHsmKey[];
}

export interface SharedHsmKey extends Pick<PublicKeyInfo, "type" | "bits" | "curve" | "spki"> {
  readonly mechanisms: readonly MechanismName[];
  /** Of a key that decrypts: blocks must be below it. */
  readonly modulus: Uint8Array | undefined;
}

/** @param keys each once */
export function shareHsmKeys(keys: readonly UsableKey[]): SharedHsmKeys {
  const bySki = DigestTable.empty(SKI_BYTES, keys.length);
  const byDigest = DigestTable.empty(CERTIFICATE_DIGEST_BYTES, keys.length);
  for (const [position, { info: { ski, digest } }] of keys.entries()) {
    bySki.add(ski, position);
    if (digest !== undefined) byDigest.add(digest, position);
  }
  return {
    bySki: bySki.memory,
    byDigest: byDigest.memory,
    keys: keys.map(({ info: { type, bits, curve, spki }, mechanisms }) => {
      const decrypts = mechanisms.includes("CKM_RSA_X_509");
      const modulus = decrypts ? rsaModulus(spki) : undefined;
      return { type, bits, curve, spki, mechanisms, modulus };
    }),
  };
}

const SKI_BYTES = 20;
const CERTIFICATE_DIGEST_BYTES = 32;
