import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import process from "node:process";
import product from "../../package.json" with { type: "json" };
import { KeylessError } from "../errors/errors.ts";
import { LIBCRYPTO_INSTALL_HINT } from "../runtime/libcrypto.ts";
import { checkFit } from "./check_fit.ts";
import type { CurveName } from "./curves.ts";
import type { Engine, LoadedKey, LoadOptions, PrivateKey, SharedKey } from "./engine.ts";
import { inconsistentKey } from "./key_errors.ts";
import { checkStrength } from "./key_strength.ts";
import { type EcPair, ecPair, PORTABLE_CURVES, signEcdsa } from "./portable/ecdsa.ts";
import { readPrivateKey } from "./portable/key_file.ts";
import { applyPrivate, type KeyPair, signPkcs1, signPss } from "./portable/rsa.ts";
import { describePublicKey, type KeyShape, type PublicKeyInfo } from "./public_key.ts";
import { SAMPLE_SCHEMES, SCHEMES, type SignScheme } from "./scheme.ts";

export interface PortableEngineOptions {
  /** Serve EC keys, though not in constant time; else they are refused when they are loaded. */
  readonly servesEc: boolean;
  readonly warning: string;
}

/**
 * node:crypto and @noble/curves: runs where OpenSSL 3 is not there.
 *
 * Every signature is verified before it is given out. P-256 reaches a fiftieth of libcrypto's
 * speed, RSA 2048 two fifths on Bun and a ninth on Deno; ECDSA is not in constant time; and copies
 * of keys stay in the runtime's memory, where nobody overwrites them.
 */
export class PortableEngine implements Engine {
  readonly name = "portable";
  readonly version = `node:crypto of ${RUNTIME}, @noble/curves ${NOBLE_VERSION}`;
  readonly warning: string;
  readonly #servesEc: boolean;

  constructor(options: PortableEngineOptions) {
    this.warning = options.warning;
    this.#servesEc = options.servesEc;
  }

  /** A key must make one signature that verifies. */
  load(bytes: Uint8Array, options: LoadOptions = {}): LoadedKey {
    const key = this.#keyOf(readPrivateKey(bytes, options.passphrase, RUNTIME));
    checkStrength(key.info, options);
    try {
      this.sign(key, SAMPLE_SCHEMES[key.info.type], new Uint8Array(PROBE_BYTES));
    } catch (cause) {
      throw inconsistentKey("its signatures do not verify", cause);
    }
    return key;
  }

  /** PKCS#8, DER. */
  share(key: PrivateKey): SharedKey {
    return (key.handle as Handle).privateKey.export({ type: "pkcs8", format: "der" });
  }

  adopt(_shape: KeyShape, shared: SharedKey): PrivateKey {
    const key = Buffer.from(shared as Uint8Array);
    const privateKey = createPrivateKey({ key, format: "der", type: "pkcs8" });
    key.fill(0);
    return this.#keyOf(privateKey);
  }

  sign(key: PrivateKey, scheme: SignScheme, bytes: Uint8Array): Uint8Array {
    checkFit(key.info, scheme, bytes);
    return verified(scheme, () => signWith(key, scheme, bytes));
  }

  decrypt(key: PrivateKey, block: Uint8Array): Uint8Array {
    checkFit(key.info, "rsa-decrypt", block);
    const handle = key.handle as Extract<Handle, { type: "rsa" }>;
    if (Buffer.compare(block, handle.modulus) >= 0) {
      throw new KeylessError("SIGN_REFUSED", "rsa-decrypt: the block is not below the modulus");
    }
    return verified("rsa-decrypt", () => applyPrivate(handle, block));
  }

  free(key: PrivateKey): void {
    const handle = key.handle as Handle;
    if (handle.type === "ec") handle.scalar.fill(0);
  }

  #keyOf(privateKey: KeyObject): LoadedKey {
    const publicKey = createPublicKey(privateKey);
    const info = describePublicKey(
      new Uint8Array(publicKey.export({ type: "spki", format: "der" })),
    );
    return { info, handle: this.#handle(privateKey, publicKey, info) };
  }

  #handle(privateKey: KeyObject, publicKey: KeyObject, info: PublicKeyInfo): Handle {
    switch (info.type) {
      case "rsa": {
        const modulus = Buffer.from(publicKey.export({ format: "jwk" }).n!, "base64url");
        return { type: "rsa", privateKey, publicKey, modulus };
      }
      case "ed25519":
        return { type: "ed25519", privateKey, publicKey };
      case "ec":
        if (!this.#servesEc) throw ecRefused();
        return { type: "ec", privateKey, ...ecPair(privateKey, info, portableCurve(info.curve!)) };
    }
  }
}

/** What a key's handle is. */
type Handle =
  | { readonly type: "rsa"; readonly modulus: Uint8Array } & KeyPair
  | { readonly type: "ec"; readonly privateKey: KeyObject } & EcPair
  | { readonly type: "ed25519" } & KeyPair;

/** Undefined where the result does not verify. */
function signWith(key: PrivateKey, scheme: SignScheme, bytes: Uint8Array): Uint8Array | undefined {
  const handle = key.handle as Handle;
  const { hash, padding } = SCHEMES[scheme];
  switch (handle.type) {
    case "rsa":
      return padding === "pss"
        ? signPss(handle, key.info, hash!, bytes)
        : signPkcs1(handle, hash!, bytes);
    case "ec":
      return signEcdsa(handle, bytes);
    case "ed25519": {
      const signature = new Uint8Array(sign(null, bytes, handle.privateKey));
      return verify(null, bytes, handle.publicKey, signature) ? signature : undefined;
    }
  }
}

function verified(what: string, compute: () => Uint8Array | undefined): Uint8Array {
  let result: Uint8Array | undefined;
  try {
    result = compute();
  } catch (cause) {
    throw new KeylessError("SIGN_FAILED", `${what} failed in the portable engine`, { cause });
  }
  if (result !== undefined) return result;
  throw new KeylessError("SIGN_FAILED", `${what}: the result does not verify and is withheld`);
}

function portableCurve(name: CurveName): EcPair["curve"] {
  const curve = PORTABLE_CURVES[name];
  if (curve !== undefined) return curve;
  throw new KeylessError(
    "KEY_UNSUPPORTED",
    `EC ${name} keys are not supported by the portable engine; ${LIBCRYPTO_INSTALL_HINT}`,
  );
}

function ecRefused(): KeylessError {
  return new KeylessError(
    "KEY_UNSUPPORTED",
    `EC keys need OpenSSL 3, which cannot be used: ${LIBCRYPTO_INSTALL_HINT}, or ask for slower ` +
      "ECDSA that is not in constant time by --crypto portable",
  );
}

const RUNTIME = process.versions.bun === undefined
  ? `Deno ${process.versions.deno}`
  : `Bun ${process.versions.bun}`;

/** Pinned exactly, so that what is asked for is what is there. */
const NOBLE_VERSION = product.dependencies["@noble/curves"];

const PROBE_BYTES = 32;
