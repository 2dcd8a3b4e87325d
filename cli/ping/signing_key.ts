import { createPublicKey } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Buffer } from "node:buffer";
import { fromHex, toHex } from "../../src/bytes/hex.ts";
import { describePublicKey, keyLabel, type PublicKeyInfo } from "../../src/crypto/public_key.ts";
import { SCHEMES, type SignScheme } from "../../src/crypto/scheme.ts";
import { defaultScheme } from "../../src/crypto/verify.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { printable } from "../../src/errors/printable.ts";
import { keyFailure } from "../../src/keystore/key_failures.ts";
import { readRegularFile } from "../../src/keystore/read_file.ts";
import { readPublicKeys } from "../../src/pki/public_keys.ts";
import { type SigningKey, signSubject, type Subject } from "./question.ts";

/** What `--op sign` was told. */
export interface SigningOptions {
  readonly ski?: string | undefined;
  readonly public?: string | undefined;
  readonly scheme?: SignScheme | undefined;
}

/**
 * What signatures are asked for: by which key, and with which scheme.
 *
 * @param keysDirectory of `--dev`: where the public half of a key may be found by its SKI
 * @throws KeylessError "USAGE", and for the file as `readPublicKeys`
 */
export function readSigning(options: SigningOptions, keysDirectory: string | undefined): Subject {
  const key = readKey(options, keysDirectory);
  if (key.info === undefined) {
    if (options.scheme !== undefined) return signSubject(key, options.scheme);
    throw new KeylessError(
      "USAGE",
      "a SKI alone does not tell the type of its key: add --scheme, " +
        "or give --public FILE instead of --ski",
    );
  }
  const scheme = options.scheme ?? defaultScheme(key.info);
  if (SCHEMES[scheme].keyType !== key.info.type) {
    const label = keyLabel(key.info);
    throw new KeylessError("USAGE", `--scheme ${scheme} does not fit a key of kind ${label}`);
  }
  return signSubject(key, scheme);
}

function readKey(options: SigningOptions, keysDirectory: string | undefined): SigningKey {
  if (options.ski !== undefined && options.public !== undefined) {
    throw new KeylessError("USAGE", "--ski and --public both name a key; give one of them");
  }
  if (options.public !== undefined) return readPublicFile(options.public);
  if (options.ski === undefined) {
    const file = keysDirectory === undefined ? "FILE" : printable(join(keysDirectory, DEV_PUBLIC));
    throw new KeylessError("USAGE", `--op sign needs a key: give --public ${file} or --ski HEX`);
  }
  const ski = readSki(options.ski);
  const info = keysDirectory === undefined ? undefined : findDevKey(keysDirectory, ski);
  return { ski, info };
}

/** @throws KeylessError "USAGE" for what is no SKI in hexadecimal */
export function readSki(text: string): Uint8Array {
  const ski = fromHex(text);
  if (ski?.length === SKI_BYTES) return ski;
  throw new KeylessError("USAGE", `--ski takes the ${SKI_BYTES} bytes of a SKI in hexadecimal`);
}

/**
 * The first key of the file: in a chain of certificates, the leaf's.
 *
 * @throws KeylessError as `readPublicKeys`, "KEY_UNSUPPORTED"
 */
export function readPublicFile(path: string): SigningKey {
  try {
    const [found] = readPublicKeys(readRegularFile(path).bytes, {});
    if (found?.info !== undefined) return { ski: found.ski, info: found.info };
    throw new KeylessError("KEY_UNSUPPORTED", `no key server signs with a key of ${found?.label}`);
  } catch (thrown) {
    if (!(thrown instanceof KeylessError)) throw thrown;
    throw keyFailure(`--public ${path}`, thrown).error;
  }
}

export function findDevKey(keysDirectory: string, ski: Uint8Array): PublicKeyInfo | undefined {
  const wanted = toHex(ski);
  for (const name of readdirSync(keysDirectory)) {
    const info = readDevKey(join(keysDirectory, name));
    if (info !== undefined && toHex(info.ski) === wanted) return info;
  }
  return undefined;
}

/** Undefined for files that hold no plain key: the directory of `--dev` is free to hold others. */
export function readDevKey(path: string): PublicKeyInfo | undefined {
  try {
    const pem = Buffer.from(readRegularFile(path).bytes);
    const spki = createPublicKey(pem).export({ type: "spki", format: "der" });
    return describePublicKey(new Uint8Array(spki));
  } catch {
    return undefined;
  }
}

const SKI_BYTES = 20;
/** One of those that `serve --dev` makes. */
const DEV_PUBLIC = "p256.pub";
