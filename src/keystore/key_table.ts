import type { LoadedKey, PrivateKey } from "../crypto/engine.ts";
import {
  describePublicKey,
  keyLabel,
  type KeyShape,
  type PublicKeyInfo,
} from "../crypto/public_key.ts";
import { DigestTable } from "./digest_table.ts";

/** A key that a store holds, and the file that it came from. */
export class StoredKey {
  readonly path: string;
  readonly shape: KeyShape;
  readonly #spki: Uint8Array;

  constructor(path: string, shape: KeyShape, spki: Uint8Array) {
    this.path = path;
    this.shape = shape;
    this.#spki = spki;
  }

  /** Made anew each time. */
  get info(): PublicKeyInfo {
    return describePublicKey(this.#spki);
  }
}

/**
 * Keys by their positions, from 0 on, each once. A P-256 key takes some 300 bytes, most of them its
 * path and its public half; as objects they would take four times as much.
 */
export class KeyTable {
  readonly bySki: DigestTable;
  /** RSA keys alone. */
  readonly byDigest: DigestTable;
  /** Uint16: places in `shapes`. */
  readonly shapePlaces: SharedArrayBuffer;
  readonly #shapePlaces: Uint16Array;
  readonly #shapes: KeyShape[] = [];
  readonly #shapesByLabel = new Map<string, number>();
  readonly #paths: string[] = [];
  readonly #handles: unknown[] = [];
  readonly #spkis = new PackedBytes();

  /** @param capacity how many keys it may hold */
  constructor(capacity: number) {
    this.bySki = DigestTable.empty(SKI_BYTES, capacity);
    this.byDigest = DigestTable.empty(CERTIFICATE_DIGEST_BYTES, capacity);
    this.shapePlaces = new SharedArrayBuffer(capacity * Uint16Array.BYTES_PER_ELEMENT);
    this.#shapePlaces = new Uint16Array(this.shapePlaces);
  }

  get size(): number {
    return this.#paths.length;
  }

  /** Each once. */
  get shapes(): readonly KeyShape[] {
    return this.#shapes;
  }

  /** @returns the position of the same key where there is one: then nothing is added */
  add(path: string, { info, handle }: LoadedKey): number | undefined {
    const position = this.size;
    const found = this.bySki.add(info.ski, position);
    if (found !== position) return found;
    if (info.digest !== undefined) this.byDigest.add(info.digest, position);
    this.#shapePlaces[position] = this.#shapePlaceOf(info);
    this.#paths.push(path);
    this.#handles.push(handle);
    this.#spkis.push(info.spki);
    return undefined;
  }

  /** A key that is there, and its file. */
  stored(position: number): StoredKey {
    return new StoredKey(this.#paths[position]!, this.#shapeAt(position), this.#spkis.at(position));
  }

  /** A key that is there. */
  key(position: number): PrivateKey {
    return { info: this.#shapeAt(position), handle: this.#handles[position] };
  }

  #shapeAt(position: number): KeyShape {
    return this.#shapes[this.#shapePlaces[position]!]!;
  }

  #shapePlaceOf({ type, bits }: KeyShape): number {
    const label = keyLabel({ type, bits });
    let place = this.#shapesByLabel.get(label);
    if (place === undefined) {
      place = this.#shapes.push({ type, bits }) - 1;
      this.#shapesByLabel.set(label, place);
    }
    return place;
  }
}

/** Byte strings, end to end in one buffer. */
class PackedBytes {
  #bytes = new Uint8Array(FIRST_BYTES);
  readonly #ends: number[] = [];

  push(bytes: Uint8Array): void {
    const start = this.#ends.at(-1) ?? 0;
    const end = start + bytes.length;
    while (this.#bytes.length < end) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, start);
    this.#ends.push(end);
  }

  /** A copy. */
  at(index: number): Uint8Array {
    return this.#bytes.slice(this.#ends[index - 1] ?? 0, this.#ends[index]);
  }
}

const FIRST_BYTES = 1_024;
const SKI_BYTES = 20;
const CERTIFICATE_DIGEST_BYTES = 32;
