import { checkStrength } from "../crypto/key_strength.ts";
import { describePublicKey, type PublicKeyInfo } from "../crypto/public_key.ts";
import { KeylessError, messageOf } from "../errors/errors.ts";
import { quoted } from "../errors/printable.ts";
import { schemesOfType, whyNotUsable } from "./key_schemes.ts";
import type { MechanismInfo } from "./module.ts";
import type { FoundKey } from "./module_calls.ts";
import { type MechanismName, mechanismNameOf } from "./operations.ts";
import type { KeyName } from "./token_keys.ts";
import { KEY_TYPES } from "./token_public_key.ts";
import { formatUri, type Pkcs11Uri } from "./uri.ts";
import { toHex } from "../bytes/hex.ts";

/** A private key of a token, with what a server needs to know of it. */
export interface UsableKey {
  readonly info: PublicKeyInfo;
  /** What it may be used with: the token has them, and the key's attributes allow them. */
  readonly mechanisms: readonly MechanismName[];
}

/**
 * Chooses the keys that a URI means: with `id` or `object` it means one, without all of the token.
 *
 * @param found what fits it
 * @throws KeylessError "HSM_KEY" where there is none, or several where one is meant
 */
export function chooseKeys(uri: Pkcs11Uri, found: readonly FoundKey[]): readonly FoundKey[] {
  checkType(uri);
  if (found.length === 0) {
    throw new KeylessError(
      "HSM_KEY",
      "the token has no private key that fits; see keyless hsm keys for those that it has",
    );
  }
  if (!namesOneKey(uri) || found.length === 1) return found;
  throw new KeylessError(
    "HSM_KEY",
    `${found.length} private keys fit: ${listed(found)}; add id= or object= so that one does`,
  );
}

/** @throws KeylessError "HSM_KEY" for a URI that means objects of another type than private keys */
export function checkType({ type = "private" }: Pkcs11Uri): void {
  if (type === "private") return;
  throw new KeylessError(
    "HSM_KEY",
    `type=${type} names no private key; write type=private, or leave it out`,
  );
}

/** Whether a URI means one key. */
export function namesOneKey(uri: Pkcs11Uri): boolean {
  return uri.id !== undefined || uri.object !== undefined;
}

/**
 * What a key may do.
 *
 * @param tokenMechanisms what its token has
 * @throws KeylessError "HSM_KEY", "KEY_WEAK", "KEY_UNSUPPORTED" that name the mend
 */
export function usableKey(
  key: FoundKey,
  tokenMechanisms: readonly MechanismInfo[],
  allowWeak: boolean,
): UsableKey {
  const type = KEY_TYPES.get(key.keyType);
  if (type === undefined) {
    throw refused(key, "is of a kind that is not served; use RSA, EC or Ed25519");
  }
  if (key.isAlwaysAuthenticated) {
    throw refused(
      key,
      "wants the PIN before every use (CKA_ALWAYS_AUTHENTICATE), which a server cannot give; make " +
        "the key without it",
    );
  }
  const { rivals = [], namesakes = 1 } = key;
  if (namesakes > 1) {
    throw refused(
      key,
      `is one of ${namesakes} private keys of this id and label, of which none tells its public ` +
        "half: give each an id of its own",
    );
  }
  if (rivals.length > 0) {
    throw refused(
      key,
      `may belong to ${listed(rivals)}: give each pair an id of its own, or the label of the key ` +
        "to its public half",
    );
  }
  if (key.spki === undefined) {
    throw refused(
      key,
      "has no public half on the token; import its public key or its certificate with the same " +
        `id (${toHex(key.id) || "none yet"})`,
    );
  }
  const info = describe(key, key.spki, allowWeak);
  const uses = { ...key, shape: info };
  const usable = new Set<MechanismName>();
  const whys = new Set<string>();
  for (const scheme of schemesOfType(info)) {
    const why = whyNotUsable(scheme, uses, tokenMechanisms);
    if (why === undefined) usable.add(mechanismNameOf(scheme));
    else whys.add(why);
  }
  if (usable.size > 0) return { info, mechanisms: [...usable] };
  throw refused(
    key,
    `cannot be used: ${[...whys].join("; ")}. Make or import it with other attributes; what its ` +
      "token can do is told by keyless hsm mechanisms",
  );
}

/** A key's name for messages: its label and id. */
export function nameOfKey({ id, label }: KeyName): string {
  const named = formatUri({ id, vendor: [] }).slice("pkcs11:".length);
  return id.length === 0 ? quoted(label) : `${quoted(label)} (${named})`;
}

function listed(keys: readonly KeyName[]): string {
  const names = keys.slice(0, MAX_LISTED).map(nameOfKey).join(", ");
  return keys.length > MAX_LISTED ? `${names} and ${keys.length - MAX_LISTED} more` : names;
}

function describe(key: FoundKey, spki: Uint8Array, allowWeak: boolean): PublicKeyInfo {
  try {
    const info = describePublicKey(spki);
    checkStrength(info, { allowWeak });
    return info;
  } catch (thrown) {
    const code = thrown instanceof KeylessError ? thrown.code : "HSM_KEY";
    throw new KeylessError(code, `the key ${nameOfKey(key)}: ${messageOf(thrown)}`);
  }
}

function refused(key: FoundKey, why: string): KeylessError {
  return new KeylessError("HSM_KEY", `the key ${nameOfKey(key)} ${why}`);
}

const MAX_LISTED = 10;
