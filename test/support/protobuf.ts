/** A message of Protocol Buffers (protobuf.dev, "Encoding"), by the numbers of its fields. */
export interface Message {
  /** The bytes of a field that is not repeated as numbers. */
  all(field: number): Uint8Array[];
  messages(field: number): Message[];
  /** Of a repeated field, packed or not. */
  numbers(field: number): number[];
  /** 0 where the field is left out. */
  number(field: number): number;
}

/** @throws Error for wire types that are not read here, and for bytes that end too soon */
export function message(bytes: Uint8Array): Message {
  const fields: { readonly field: number; readonly value: number | Uint8Array }[] = [];
  const reader = new Varints(bytes);
  while (!reader.isAtEnd) {
    const tag = reader.next();
    const [field, wireType] = [tag >>> 3, tag & 7];
    if (wireType === 0) fields.push({ field, value: reader.next() });
    else if (wireType === 2) fields.push({ field, value: reader.take(reader.next()) });
    else throw new Error(`wire type ${wireType}`);
  }
  const values = (wanted: number) =>
    fields.filter(({ field }) => field === wanted).map(({ value }) => value);
  const all = (field: number) => values(field).filter((value) => typeof value !== "number");
  const numbers = (field: number) =>
    values(field).flatMap((value) =>
      typeof value === "number" ? [value] : new Varints(value).all()
    );
  return {
    all,
    numbers,
    messages: (field) => all(field).map(message),
    number: (field) => numbers(field)[0] ?? 0,
  };
}

class Varints {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  next(): number {
    let value = 0n;
    for (let shift = 0n;; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new Error("cut short");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(value);
    }
  }

  take(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) throw new Error("cut short");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  all(): number[] {
    const found: number[] = [];
    while (!this.isAtEnd) found.push(this.next());
    return found;
  }
}
