import type { SharedKey } from "../crypto/engine.ts";
import type { KeyShape } from "../crypto/public_key.ts";
import type { DigestTableMemory } from "./digest_table.ts";

/** A kind and size of keys, and how long an operation with one takes. */
export interface KeyCost extends KeyShape {
  readonly costMs: number;
}

/**
 * A store's keys for the other threads of the process, which make a `SharedStore` of it: a plain
 * record for `workerData` and `postMessage`. All threads share its large parts, which lie by the
 * keys' positions. Nothing but `withdrawn` changes while the store is open.
 *
 * The thread that owns the store frees the keys when no other thread uses them any more.
 */
export interface SharedKeys {
  readonly bySki: DigestTableMemory;
  /** RSA keys alone. */
  readonly byDigest: DigestTableMemory;
  /** Each once. */
  readonly shapes: readonly KeyCost[];
  /** Uint16: places in `shapes`. */
  readonly shapePlaces: SharedArrayBuffer;
  /** Uint8: 1 for a key that must not be used any more. */
  readonly withdrawn: SharedArrayBuffer;
  readonly material: SharedMaterial;
}

/** What `Engine.share` gives of all keys. */
export type SharedMaterial =
  /** Float64. */
  | { readonly addresses: SharedArrayBuffer }
  /** End to end, and Float64: where each ends. */
  | { readonly encodings: SharedArrayBuffer; readonly ends: SharedArrayBuffer };

/** Overwrites the encodings that it is given. */
export function packMaterial(keys: readonly SharedKey[]): SharedMaterial {
  const encodings = keys.filter((key) => typeof key !== "number");
  if (encodings.length === 0) return { addresses: sharedFloats(keys as readonly number[]) };
  let lengthBytes = 0;
  const ends = encodings.map((encoding) => lengthBytes += encoding.length);
  const bytes = new Uint8Array(new SharedArrayBuffer(lengthBytes));
  for (const [index, encoding] of encodings.entries()) {
    bytes.set(encoding, ends[index]! - encoding.length);
    encoding.fill(0);
  }
  return { encodings: bytes.buffer, ends: sharedFloats(ends) };
}

/** Reads what `packMaterial` has made: the key at a position; an encoding is a copy. */
export function materialReader(material: SharedMaterial): (position: number) => SharedKey {
  if ("addresses" in material) {
    const addresses = new Float64Array(material.addresses);
    return (position) => addresses[position]!;
  }
  const encodings = new Uint8Array(material.encodings);
  const ends = new Float64Array(material.ends);
  return (position) => encodings.slice(position === 0 ? 0 : ends[position - 1], ends[position]);
}

function sharedFloats(numbers: readonly number[]): SharedArrayBuffer {
  const shared = new SharedArrayBuffer(numbers.length * Float64Array.BYTES_PER_ELEMENT);
  new Float64Array(shared).set(numbers);
  return shared;
}
