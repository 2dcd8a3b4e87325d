/** What the schemes are in PKCS#11: mechanism, input, and what becomes of the result. */
import { Buffer } from "node:buffer";
import type { Mechanism } from "pkcs11js";
import { checkFit, modulusBytes } from "../crypto/check_fit.ts";
import { DIGEST_INFO_PREFIXES } from "../crypto/digest_info.ts";
import type { KeyShape } from "../crypto/public_key.ts";
import { DIGEST_BYTES, type Hash, type Scheme, SCHEMES } from "../crypto/scheme.ts";
import { KeylessError } from "../errors/errors.ts";
import { toDerSignature } from "./ecdsa_signature.ts";

/** A call of C_Sign or C_Decrypt. */
export interface Operation {
  readonly call: "sign" | "decrypt";
  readonly mechanism: Mechanism;
  readonly input: Buffer;
}

/**
 * The call for a scheme. DigestInfo is written here: a token is asked for CKM_RSA_PKCS alone.
 *
 * Sources: PKCS #11 mechanisms 2.40 sections 2.1.7, 2.1.10, 2.1.8, 2.3.6; 3.0 section 2.3.14.
 *
 * @throws KeylessError "SIGN_REFUSED" where scheme, bytes and key do not fit
 */
export function operationOf(key: KeyShape, scheme: Scheme, bytes: Uint8Array): Operation {
  checkFit(key, scheme, bytes);
  const { keyType, padding, hash } = SCHEMES[scheme];
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (padding === "none") return { call: "decrypt", mechanism: RSA_RAW, input };
  if (padding === "pss") return { call: "sign", mechanism: PSS[scheme as PssScheme], input };
  if (padding === "pkcs1") {
    const prefix = Buffer.from(DIGEST_INFO_PREFIXES[hash], "hex");
    return { call: "sign", mechanism: RSA_PKCS1, input: Buffer.concat([prefix, input]) };
  }
  if (keyType === "ed25519") return { call: "sign", mechanism: EDDSA, input };
  // FIPS 186-5 section 6.4.1 step 2, which some tokens leave to their callers
  return { call: "sign", mechanism: ECDSA, input: input.subarray(0, Math.ceil(key.bits / 8)) };
}

/**
 * What the token gave, as it goes to the client.
 *
 * @param made overwritten by the next call: the result is a copy
 * @throws KeylessError "SIGN_FAILED" where it has not the length that it must have
 */
export function resultOf(key: KeyShape, scheme: Scheme, made: Uint8Array): Uint8Array {
  const { keyType } = SCHEMES[scheme];
  if (keyType === "ec") return toDerSignature(made, Math.ceil(key.bits / 8));
  const wanted = keyType === "rsa" ? modulusBytes(key) : ED25519_SIGNATURE_BYTES;
  // some tokens leave the zeros at the beginning of a raw block out
  const isShort = scheme === "rsa-decrypt" && made.length < wanted;
  if (made.length !== wanted && !isShort) {
    throw new KeylessError(
      "SIGN_FAILED",
      `the token gave ${made.length} bytes for ${scheme}, not ${wanted}`,
    );
  }
  const result = new Uint8Array(wanted);
  result.set(made, wanted - made.length);
  return result;
}

/** The mechanism that a scheme needs, by its name. */
export function mechanismNameOf(scheme: Scheme): MechanismName {
  const { keyType, padding } = SCHEMES[scheme];
  if (padding !== undefined) return MECHANISM_NAMES[padding];
  return keyType === "ed25519" ? "CKM_EDDSA" : "CKM_ECDSA";
}

/** What keys are used with, by number: pkcs11t.h; written out, so that nothing is loaded to know them. */
export const MECHANISMS = {
  CKM_RSA_PKCS: 0x01,
  CKM_RSA_X_509: 0x03,
  CKM_RSA_PKCS_PSS: 0x0d,
  CKM_ECDSA: 0x1041,
  CKM_EDDSA: 0x1057,
} as const;
export type MechanismName = keyof typeof MECHANISMS;

type PssScheme = keyof typeof PSS;

const MECHANISM_NAMES = {
  none: "CKM_RSA_X_509",
  pkcs1: "CKM_RSA_PKCS",
  pss: "CKM_RSA_PKCS_PSS",
} as const;

const RSA_PKCS1: Mechanism = { mechanism: MECHANISMS.CKM_RSA_PKCS };
const RSA_RAW: Mechanism = { mechanism: MECHANISMS.CKM_RSA_X_509 };
const ECDSA: Mechanism = { mechanism: MECHANISMS.CKM_ECDSA };
const EDDSA: Mechanism = { mechanism: MECHANISMS.CKM_EDDSA };

/** pkcs11js's own tag for CK_RSA_PKCS_PSS_PARAMS. */
const CK_PARAMS_RSA_PSS = 5;

const PSS = {
  "rsa-pss-sha256": pss("sha256", 0x250, 2),
  "rsa-pss-sha384": pss("sha384", 0x260, 3),
  "rsa-pss-sha512": pss("sha512", 0x270, 4),
};

/** The salt is as long as the digest. */
function pss(hash: Hash, hashAlg: number, mgf: number): Mechanism {
  const parameter = { type: CK_PARAMS_RSA_PSS, hashAlg, mgf, saltLen: DIGEST_BYTES[hash] };
  return { mechanism: MECHANISMS.CKM_RSA_PKCS_PSS, parameter };
}

const ED25519_SIGNATURE_BYTES = 64;
