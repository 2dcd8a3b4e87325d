import type { KeyObject } from "node:crypto";
import type { ECDSA } from "@noble/curves/abstract/weierstrass.js";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { ECPrivateKey } from "@peculiar/asn1-ecc";
import { AsnConvert } from "@peculiar/asn1-schema";
import type { CurveName } from "../curves.ts";
import type { PublicKeyInfo } from "../public_key.ts";

/** An EC key as @noble/curves takes it. */
export interface EcPair {
  readonly curve: ECDSA;
  readonly scalar: Uint8Array;
  /** Uncompressed (SEC 1 section 2.3.3). */
  readonly point: Uint8Array;
}

/** The curves of @noble/curves that keys are served on; P-224 is not among them. */
export const PORTABLE_CURVES: Readonly<Partial<Record<CurveName, ECDSA>>> = {
  "P-256": p256,
  "P-384": p384,
  "P-521": p521,
};

/** The scalar goes from one buffer to the next, never through text. */
export function ecPair(privateKey: KeyObject, info: PublicKeyInfo, curve: ECDSA): EcPair {
  const der = privateKey.export({ type: "sec1", format: "der" });
  const scalar = new Uint8Array(AsnConvert.parse(der, ECPrivateKey).privateKey.buffer);
  der.fill(0);
  // the point is the end of SubjectPublicKeyInfo
  const point = info.spki.subarray(-(1 + 2 * Math.ceil(info.bits / 8)));
  return { curve, scalar, point };
}

/**
 * ECDSA over a digest of any length, as DER; not in constant time.
 *
 * @returns undefined where the signature does not verify
 */
export function signEcdsa(pair: EcPair, digest: Uint8Array): Uint8Array | undefined {
  const signature = pair.curve.sign(digest, pair.scalar, OPTIONS);
  return pair.curve.verify(signature, digest, pair.point, OPTIONS) ? signature : undefined;
}

const OPTIONS = { prehash: false, format: "der", lowS: false } as const;
