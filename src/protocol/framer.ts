import { FormatError } from "../errors/errors.ts";
import { MAX_BODY_BYTES, type Packet, PACKET_HEADER_BYTES } from "./packet.ts";

/**
 * Cuts a stream of bytes into packets, wherever the chunks of the stream were cut.
 *
 * Push what was read, then pull packets until there is none: whoever pulls decides when, so that
 * packets can wait here, unread, while their reader is busy.
 */
export class Framer {
  readonly #maxHeldBytes: number;
  #held: Uint8Array = NOTHING;
  #at = 0;

  /**
   * @param maxHeldBytes the most that may wait here; at least one packet of the longest kind
   */
  constructor(maxHeldBytes = DEFAULT_MAX_HELD_BYTES) {
    this.#maxHeldBytes = Math.max(maxHeldBytes, PACKET_HEADER_BYTES + MAX_BODY_BYTES);
  }

  /** Bytes that wait here. */
  get heldBytes(): number {
    return this.#held.length - this.#at;
  }

  /** How many whole packets wait here. */
  countWhole(): number {
    const held = this.#held;
    let count = 0;
    let at = this.#at;
    while (held.length - at >= PACKET_HEADER_BYTES) {
      at += PACKET_HEADER_BYTES + ((held[at + 2]! << 8) | held[at + 3]!);
      if (at <= held.length) count += 1;
    }
    return count;
  }

  /** The major version of the packet that comes next, as soon as its first byte is here. */
  get nextMajor(): number | undefined {
    return this.#held[this.#at];
  }

  /**
   * Takes a chunk. The chunk belongs to the framer from here on: packets are views of it.
   *
   * @throws FormatError "FRAMER_FULL" where more would be held than may be; the stream is lost then
   */
  push(chunk: Uint8Array): void {
    const waiting = this.heldBytes;
    if (waiting + chunk.length > this.#maxHeldBytes) {
      throw new FormatError(
        "FRAMER_FULL",
        `${waiting + chunk.length} bytes wait to be decoded; ${this.#maxHeldBytes} may`,
      );
    }
    if (waiting === 0) {
      this.#held = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length); // no Buffer
    } else {
      const joined = new Uint8Array(waiting + chunk.length);
      joined.set(this.#held.subarray(this.#at));
      joined.set(chunk, waiting);
      this.#held = joined;
    }
    this.#at = 0;
  }

  /** The next whole packet, or undefined until more bytes are pushed. */
  next(): Packet | undefined {
    const held = this.#held;
    const at = this.#at;
    const left = held.length - at;
    if (left < PACKET_HEADER_BYTES) return undefined;
    const bodyBytes = (held[at + 2]! << 8) | held[at + 3]!;
    if (left < PACKET_HEADER_BYTES + bodyBytes) return undefined;
    const id = (held[at + 4]! << 24) | (held[at + 5]! << 16) | (held[at + 6]! << 8) | held[at + 7]!;
    const bodyAt = at + PACKET_HEADER_BYTES;
    this.#at = bodyAt + bodyBytes;
    if (this.#at === held.length) {
      this.#held = NOTHING;
      this.#at = 0;
    }
    return {
      major: held[at]!,
      minor: held[at + 1]!,
      id: id >>> 0,
      body: held.subarray(bodyAt, bodyAt + bodyBytes),
    };
  }
}

/** 1 MiB: sixteen of the longest packets. */
export const DEFAULT_MAX_HELD_BYTES = 1_048_576;

const NOTHING = new Uint8Array(0);
