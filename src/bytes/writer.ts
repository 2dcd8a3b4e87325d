import { FormatError } from "../errors/errors.ts";

/**
 * A big-endian writer into a buffer of a known size, which starts as zeros.
 *
 * The sizes are computed before: writing past the end throws FormatError "TOO_LONG", and so does a
 * number that does not fit its field.
 */
export class ByteWriter {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(lengthBytes: number) {
    this.#bytes = new Uint8Array(lengthBytes);
  }

  /** The whole buffer, owned by the caller from here on. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  u8(value: number): void {
    this.#bytes[this.#advance(1, value, 0xff)] = value;
  }

  u16(value: number): void {
    const at = this.#advance(2, value, 0xffff);
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
  }

  u32(value: number): void {
    const at = this.#advance(4, value, 0xffff_ffff);
    this.#bytes[at] = value >>> 24;
    this.#bytes[at + 1] = value >>> 16;
    this.#bytes[at + 2] = value >>> 8;
    this.#bytes[at + 3] = value;
  }

  put(value: Uint8Array): void {
    this.#bytes.set(value, this.#advance(value.length));
  }

  /** Leaves so many zeros. */
  skip(lengthBytes: number): void {
    this.#advance(lengthBytes);
  }

  #advance(lengthBytes: number, value = 0, most = 0): number {
    const at = this.#at;
    const left = this.#bytes.length - at;
    if (lengthBytes > left) {
      throw new FormatError(
        "TOO_LONG",
        `${lengthBytes} bytes do not fit the ${left} left at ${at}`,
      );
    }
    if (value >>> 0 !== value || value > most) {
      throw new FormatError("TOO_LONG", `${value} is no whole number from 0 to ${most}`);
    }
    this.#at = at + lengthBytes;
    return at;
  }
}
