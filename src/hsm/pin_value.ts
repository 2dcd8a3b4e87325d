/** A PIN that stood in a URI. Nothing that prints objects shows it. */
export class PinValue {
  readonly #bytes: Uint8Array;

  /** @param bytes UTF-8, kept */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A copy, the caller's, to be overwritten after use. */
  copy(): Uint8Array {
    return this.#bytes.slice();
  }
}
