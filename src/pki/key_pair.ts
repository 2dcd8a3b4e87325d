import { Crypto as PeculiarCrypto } from "@peculiar/webcrypto";
import { KeylessError } from "../errors/errors.ts";

export const CURVES = ["P-256", "P-384", "P-521", "K-256"] as const;
export type Curve = (typeof CURVES)[number];

/** A fresh key pair, and the WebCrypto that its objects belong to. */
export interface EcKeyPair {
  readonly webCrypto: Crypto;
  readonly privateKey: CryptoKey;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array<ArrayBuffer>;
  /** The private key as PKCS#8, DER. */
  readonly pkcs8: Uint8Array<ArrayBuffer>;
}

/**
 * Makes an ECDSA key pair with the runtime's own WebCrypto, or with @peculiar/webcrypto, which
 * rests on `node:crypto`, where the former lacks the curve.
 *
 * @throws KeylessError "KEY_UNSUPPORTED" where both lack it
 */
export async function makeKeyPair(curve: Curve): Promise<EcKeyPair> {
  try {
    return await makeWith(globalThis.crypto, curve);
  } catch (thrown) {
    if (!isNotSupported(thrown)) throw thrown;
    return await makeWith(new PeculiarCrypto(), curve).catch((cause) => {
      throw new KeylessError("KEY_UNSUPPORTED", `this runtime cannot make a ${curve} key`, {
        cause,
      });
    });
  }
}

async function makeWith(webCrypto: Crypto, curve: Curve): Promise<EcKeyPair> {
  const { subtle } = webCrypto;
  const algorithm = { name: "ECDSA", namedCurve: curve };
  const pair = await subtle.generateKey(algorithm, true, ["sign", "verify"]) as CryptoKeyPair;
  const [spki, pkcs8] = await Promise.all([
    subtle.exportKey("spki", pair.publicKey),
    subtle.exportKey("pkcs8", pair.privateKey),
  ]);
  return {
    webCrypto,
    privateKey: pair.privateKey,
    spki: new Uint8Array(spki as ArrayBuffer),
    pkcs8: new Uint8Array(pkcs8 as ArrayBuffer),
  };
}

function isNotSupported(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === "NotSupportedError";
}
