import { toHex } from "../../src/bytes/hex.ts";
import { describePublicKey, keyLabel, type PublicKeyInfo } from "../../src/crypto/public_key.ts";
import { messageOf } from "../../src/errors/errors.ts";
import { printable } from "../../src/errors/printable.ts";
import { findKeys } from "../../src/hsm/key_listing.ts";
import type { FoundKey } from "../../src/hsm/module_calls.ts";
import type { MechanismInfo } from "../../src/hsm/module.ts";
import { formatUri, type Pkcs11Uri } from "../../src/hsm/uri.ts";
import { checkType, usableKey } from "../../src/hsm/usable_key.ts";
import { keyFields } from "../key_fields.ts";
import type { OpenToken } from "./open_module.ts";
import { block } from "./rows.ts";
import { uriOfKey } from "./typed_uri.ts";

/** A private key of a token, and what can be told of it. */
export interface ReportedKey extends FoundKey {
  /** Undefined where `problem` says why. */
  readonly info: PublicKeyInfo | undefined;
  /** Why a server would refuse it; undefined where it would not. */
  readonly problem: string | undefined;
  readonly uri: string;
}

/** The keys that a URI names, by their labels: those of its id and label, all without them. */
export async function findReportedKeys(
  uri: Pkcs11Uri,
  { channel, path, slot: { slotId, token } }: OpenToken,
): Promise<readonly ReportedKey[]> {
  checkType(uri);
  const template = { id: uri.id, label: uri.object };
  const found = await findKeys(channel, slotId, template);
  const mechanisms = await channel.ask("mechanisms", { slotId });
  const keys = found.map((key) => ({
    ...key,
    info: infoOf(key),
    problem: problemOf(key, mechanisms),
    uri: formatUri(uriOfKey(uri, token, path, key)),
  }));
  return keys.toSorted((one, other) => compare(one.label, other.label));
}

/** A key for people: a block of rows. */
export function keyText(key: ReportedKey): string {
  const { id, label, info, problem, uri } = key;
  return block(printable(label) || "(no label)", [
    ["key", info === undefined ? typeName(key) : keyLabel(info)],
    ["id", toHex(id) || "none"],
    ...(info === undefined ? [] : [["SKI", toHex(info.ski)] as const]),
    ["use", usesOf(key).join(", ") || "none"],
    ["extractable", EXTRACTABLE.get(key.isExtractable)!],
    ["certificate", key.hasCertificate ? "yes" : "no"],
    ...(problem === undefined ? [] : [["problem", printable(problem)] as const]),
    ["URI", uri],
  ]);
}

/** A key in the JSON documents. */
export function reportedKeyFields(key: ReportedKey): object {
  const { id, label, info, problem, uri, allowedMechanisms } = key;
  const unknown = { type: typeName(key), bits: null, curve: null, ski: null };
  return {
    ...(info === undefined ? unknown : keyFields(info)),
    id: toHex(id),
    label,
    sign: key.canSign,
    decrypt: key.canDecrypt,
    extractable: key.isExtractable ?? null,
    always_authenticate: key.isAlwaysAuthenticated,
    allowed_mechanisms: allowedMechanisms ?? null,
    certificate: key.hasCertificate,
    public_key_from: key.spkiFrom ?? null,
    problem: problem ?? null,
    uri,
  };
}

/** By code units, whatever the language of the machine. */
function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

function infoOf({ spki }: FoundKey): PublicKeyInfo | undefined {
  try {
    return spki && describePublicKey(spki);
  } catch {
    return undefined;
  }
}

function problemOf(key: FoundKey, mechanisms: readonly MechanismInfo[]): string | undefined {
  try {
    usableKey(key, mechanisms, false);
    return undefined;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

function typeName({ keyType }: FoundKey): string {
  return TYPE_NAMES.get(keyType) ?? `key type 0x${Math.max(keyType, 0).toString(16)}`;
}

function usesOf({ canSign, canDecrypt, isAlwaysAuthenticated }: FoundKey): string[] {
  return [
    ...(canSign ? ["sign"] : []),
    ...(canDecrypt ? ["decrypt"] : []),
    ...(isAlwaysAuthenticated ? ["PIN before every use"] : []),
  ];
}

const EXTRACTABLE: ReadonlyMap<boolean | undefined, string> = new Map([
  [true, "yes"],
  [false, "no"],
  [undefined, "not told"],
]);

/** CK_KEY_TYPE: pkcs11t.h. */
const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [0x00, "RSA"],
  [0x01, "DSA"],
  [0x02, "DH"],
  [0x03, "EC"],
  [0x40, "EC, Edwards"],
  [0x41, "EC, Montgomery"],
]);
