import { createHash, randomBytes } from "node:crypto";
import { Buffer } from "node:buffer";

/**
 * EMSA-PSS over a digest that is already computed; node:crypto offers PSS over messages alone.
 * The salt is as long as the digest, and MGF1 takes the same hash.
 *
 * @param hash as node:crypto names it
 * @param bits of the encoded message: of the modulus, less one; the caller has checked the room
 * @returns the encoded message, `ceil(bits / 8)` bytes
 *
 * Source: RFC 8017 section 9.1.1.
 */
export function encodePss(hash: string, digest: Uint8Array, bits: number): Uint8Array {
  const lengthBytes = Math.ceil(bits / 8);
  const salt = randomBytes(digest.length);
  const inner = createHash(hash).update(ZEROS).update(digest).update(salt).digest();

  const block = new Uint8Array(lengthBytes - inner.length - 1);
  block[block.length - salt.length - 1] = 0x01;
  block.set(salt, block.length - salt.length);
  const mask = mgf1(hash, inner, block.length);
  for (const [index, byte] of mask.entries()) block[index]! ^= byte;
  block[0]! &= 0xff >>> (8 * lengthBytes - bits);

  return Buffer.concat([block, inner, TRAILER]);
}

/** RFC 8017 appendix B.2.1. */
function mgf1(hash: string, seed: Uint8Array, lengthBytes: number): Uint8Array {
  const mask = new Uint8Array(lengthBytes);
  const counter = new Uint8Array(4);
  for (let at = 0; at < lengthBytes; counter[3]!++) {
    const digest = createHash(hash).update(seed).update(counter).digest();
    mask.set(digest.subarray(0, lengthBytes - at), at);
    at += digest.length;
  }
  return mask;
}

const ZEROS = new Uint8Array(8);
const TRAILER = new Uint8Array([0xbc]);
