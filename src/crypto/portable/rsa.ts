import { Buffer } from "node:buffer";
import {
  constants,
  type KeyObject,
  privateDecrypt,
  privateEncrypt,
  publicDecrypt,
  publicEncrypt,
} from "node:crypto";
import { pssBytes } from "../check_fit.ts";
import { DIGEST_INFO_PREFIXES } from "../digest_info.ts";
import type { KeyShape } from "../public_key.ts";
import type { Hash } from "../scheme.ts";
import { encodePss } from "./emsa_pss.ts";

/**
 * RSA by node:crypto. Every operation gives undefined where its result, undone by the public half,
 * is not what went in: the result of a fault can give the key away.
 */
export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** RFC 8017 section 8.2.1 from the DigestInfo on. */
export function signPkcs1(pair: KeyPair, hash: Hash, digest: Uint8Array): Uint8Array | undefined {
  const info = Buffer.concat([Buffer.from(DIGEST_INFO_PREFIXES[hash], "hex"), digest]);
  const padding = constants.RSA_PKCS1_PADDING;
  const signature = privateEncrypt({ key: pair.privateKey, padding }, info);
  const undone = publicDecrypt({ key: pair.publicKey, padding }, signature);
  return undone.equals(info) ? new Uint8Array(signature) : undefined;
}

/** RFC 8017 section 8.1.1 from the digest on; the salt is as long as the digest. */
export function signPss(
  pair: KeyPair,
  info: KeyShape,
  hash: Hash,
  digest: Uint8Array,
): Uint8Array | undefined {
  const encoded = encodePss(hash, digest, info.bits - 1);
  const block = new Uint8Array(Math.ceil(info.bits / 8));
  block.set(encoded, block.length - pssBytes(info));
  return applyPrivate(pair, block);
}

/** RFC 8017 section 5.1.2, on a block of modulus length and below the modulus. */
export function applyPrivate(pair: KeyPair, block: Uint8Array): Uint8Array | undefined {
  const padding = constants.RSA_NO_PADDING;
  const result = privateDecrypt({ key: pair.privateKey, padding }, block);
  const undone = publicEncrypt({ key: pair.publicKey, padding }, result);
  return undone.equals(block) ? new Uint8Array(result) : undefined;
}
