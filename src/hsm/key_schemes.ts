import { checkFit, modulusBytes } from "../crypto/check_fit.ts";
import type { KeyShape, PublicKeyInfo } from "../crypto/public_key.ts";
import {
  DIGEST_BYTES,
  type Scheme,
  SCHEME_NAMES,
  SCHEMES,
  type SignScheme,
} from "../crypto/scheme.ts";
import { defaultScheme } from "../crypto/verify.ts";
import { messageOf } from "../errors/errors.ts";
import type { MechanismInfo } from "./module.ts";
import { type MechanismName, mechanismNameOf, MECHANISMS } from "./operations.ts";
import type { TokenKey } from "./token_keys.ts";

/** What a token says of a key's uses. */
export type KeyUses = Pick<TokenKey, "canSign" | "canDecrypt" | "allowedMechanisms">;

/** The schemes of a key's type. */
export function schemesOfType({ type }: KeyShape): readonly Scheme[] {
  return SCHEME_NAMES.filter((scheme) => SCHEMES[scheme].keyType === type);
}

/** The scheme to try a key with: the usual one where it may do that; undefined where it cannot sign. */
export function sampleScheme(
  info: PublicKeyInfo,
  mechanisms: readonly MechanismName[],
): SignScheme | undefined {
  return [defaultScheme(info), ...schemesOfType(info)]
    .filter((scheme) => scheme !== "rsa-decrypt")
    .find((scheme) => mechanisms.includes(mechanismNameOf(scheme)));
}

/**
 * Why a key on a token cannot be used with a scheme; undefined where it can.
 *
 * @param mechanisms those of the token
 */
export function whyNotUsable(
  scheme: Scheme,
  key: KeyUses & { readonly shape: KeyShape },
  mechanisms: readonly MechanismInfo[],
): string | undefined {
  const isDecryption = SCHEMES[scheme].padding === "none";
  if (!(isDecryption ? key.canDecrypt : key.canSign)) {
    return isDecryption ? "it may not decrypt (CKA_DECRYPT)" : "it may not sign (CKA_SIGN)";
  }
  const name = mechanismNameOf(scheme);
  const mechanism = mechanisms.find(({ type }) => type === MECHANISMS[name]);
  if (mechanism === undefined) return `the token does not have ${name}`;
  const use = isDecryption ? CKF_DECRYPT : CKF_SIGN;
  if ((mechanism.flags & use) === 0) {
    return `the token has ${name}, but not to ${isDecryption ? "decrypt" : "sign"}`;
  }
  if (key.allowedMechanisms?.includes(mechanism.type) === false) {
    return `it may not be used with ${name} (CKA_ALLOWED_MECHANISMS)`;
  }
  const { minKeySize: min, maxKeySize: max } = mechanism;
  const { type, bits } = key.shape;
  // there is one size of Ed25519 keys; some tokens call it 255 bits, others 32 bytes
  if (type !== "ed25519" && (bits < min || (max > 0 && bits > max))) {
    return `the token has ${name} for keys of ${min} to ${max} bits alone`;
  }
  try {
    checkFit(key.shape, scheme, new Uint8Array(inputBytes(scheme, key.shape)));
    return undefined;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

function inputBytes(scheme: Scheme, shape: KeyShape): number {
  const { hash, padding } = SCHEMES[scheme];
  if (padding === "none") return modulusBytes(shape);
  return hash === undefined ? 0 : DIGEST_BYTES[hash];
}

/** CK_MECHANISM_INFO: pkcs11t.h. */
const CKF_DECRYPT = 0x200;
const CKF_SIGN = 0x800;
