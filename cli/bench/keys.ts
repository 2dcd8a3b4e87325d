import { readdirSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "../../src/bytes/hex.ts";
import type { MixEntry } from "../../src/bench/mix.ts";
import type { PlannedOperation } from "../../src/bench/plan.ts";
import type { BenchKey } from "../../src/bench/requests.ts";
import { keyLabel, type PublicKeyInfo } from "../../src/crypto/public_key.ts";
import { SCHEMES } from "../../src/crypto/scheme.ts";
import { defaultScheme } from "../../src/crypto/verify.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { printable } from "../../src/errors/printable.ts";
import { findDevKey, readDevKey, readPublicFile, readSki } from "../ping/signing_key.ts";

/** The flags that name keys. */
export interface KeyFlags {
  readonly ski?: readonly string[];
  readonly public?: readonly string[];
}

/**
 * Gives every operation the keys that can do it: of those that flags name, or else of `--dev`.
 *
 * @param keysDirectory of `--dev`; undefined without it
 * @throws KeylessError "USAGE" for an operation without a key, and a key without an operation; for
 *   files as `readPublicFile`
 */
export function planOperations(
  mix: readonly MixEntry[],
  flags: KeyFlags,
  keysDirectory: string | undefined,
): PlannedOperation[] {
  const named = readNamedKeys(flags, keysDirectory);
  const isDev = named.length === 0 && keysDirectory !== undefined;
  const needsKeys = mix.some(({ name }) => name !== "ping");
  const keys = isDev && needsKeys ? readDevKeys(keysDirectory) : named;
  const operations = mix.map((entry) => ({ ...entry, keys: keysFor(entry, keys, isDev) }));
  const idle = named.find((key) => !operations.some((operation) => operation.keys.includes(key)));
  if (idle === undefined) return operations;
  const kind = idle.info === undefined ? "" : `, ${keyLabel(idle.info)},`;
  throw new KeylessError(
    "USAGE",
    `no operation uses the key ${printable(idle.label)}${kind} that was given: say one with --op`,
  );
}

function readNamedKeys(flags: KeyFlags, keysDirectory: string | undefined): BenchKey[] {
  const bySki = (flags.ski ?? []).map((text) => {
    const ski = readSki(text);
    const info = keysDirectory === undefined ? undefined : findDevKey(keysDirectory, ski);
    return { label: toHex(ski), ski, info };
  });
  const byFile = (flags.public ?? []).map((path) => ({ label: path, ...readPublicFile(path) }));
  return distinct([...bySki, ...byFile]);
}

/** Private keys and public halves, each key once. */
function readDevKeys(directory: string): BenchKey[] {
  return distinct(
    readdirSync(directory).sort().flatMap((name) => {
      const info = readDevKey(join(directory, name));
      return info === undefined ? [] : [{ label: name, ski: info.ski, info }];
    }),
  );
}

function distinct(keys: readonly BenchKey[]): BenchKey[] {
  return [...new Map(keys.map((key) => [toHex(key.ski), key])).values()];
}

/** @param isDev whether nobody has chosen the keys: of EC keys those of the curve are taken then */
function keysFor({ name }: MixEntry, keys: readonly BenchKey[], isDev: boolean): BenchKey[] {
  if (name === "ping") return [];
  const { keyType } = SCHEMES[name];
  const able = keys.filter(({ info }) =>
    info === undefined ? name !== "rsa-decrypt" : info.type === keyType
  );
  const suited = able.filter(({ info }) => isDev && info && defaultScheme(info) === name);
  if (keyType === "ec" && suited.length > 0) return suited;
  if (able.length > 0) return able;
  throw new KeylessError("USAGE", `--op ${name} ${lackOf(name, keyType, keys)}`);
}

function lackOf(name: string, keyType: keyof typeof KEY_NAMES, keys: readonly BenchKey[]): string {
  const wanted = `needs ${KEY_NAMES[keyType]}`;
  if (keys.length === 0) return `${wanted}: give --public FILE, --ski HEX, or --dev`;
  const given = keys.map(({ label, info }) => `${printable(label)} is ${labelOf(info)}`);
  const told = given.slice(0, MAX_TOLD).join(", ");
  const unknown = name === "rsa-decrypt" && keys.some(({ info }) => info === undefined);
  return `${wanted}, but ${told}${unknown ? "; decryption needs --public FILE" : ""}`;
}

function labelOf(info: PublicKeyInfo | undefined): string {
  return info === undefined ? "known by its SKI alone" : keyLabel(info);
}

const KEY_NAMES = { rsa: "an RSA key", ec: "an EC key", ed25519: "an Ed25519 key" } as const;
const MAX_TOLD = 8;
