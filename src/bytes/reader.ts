import { FormatError } from "../errors/errors.ts";

/**
 * A checked cursor over bytes: big-endian, never past the end.
 *
 * The bytes are not copied: `take` returns a view of them. Every read throws FormatError "SHORT"
 * where fewer bytes are left than it needs, and moves nothing.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bytes that have not been read. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes[this.#advance(1)]!;
  }

  u16(): number {
    const at = this.#advance(2);
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!;
  }

  u32(): number {
    const at = this.#advance(4);
    const bytes = this.#bytes;
    const value = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) |
      bytes[at + 3]!;
    return value >>> 0;
  }

  /** The next `lengthBytes` bytes, as a view. */
  take(lengthBytes: number): Uint8Array {
    const at = this.#advance(lengthBytes);
    return this.#bytes.subarray(at, at + lengthBytes);
  }

  #advance(lengthBytes: number): number {
    const at = this.#at;
    if (lengthBytes > this.#bytes.length - at) {
      throw new FormatError(
        "SHORT",
        `${lengthBytes} bytes wanted at offset ${at}, ${this.#bytes.length - at} left`,
      );
    }
    this.#at = at + lengthBytes;
    return at;
  }
}
