/**
 * Frames between this program and the child process that holds a PKCS#11 module:
 *
 *     byte  0       4      5            4 + length
 *           | length | kind | payload    |   length: u32 of kind and payload, little-endian
 *
 *     batch    | session u32 | count u32 | count numbers, f64 | bytes |
 *     message  | length u32 of the JSON | JSON | the byte strings in it, end to end |
 *
 * Numbers are little-endian, as on every machine that the program runs on.
 */
import { FormatError } from "../errors/errors.ts";
import type { Batch } from "./batch.ts";

/** What a frame carries: requests or replies of a session, or anything that JSON and bytes make. */
export type FrameContent =
  | { readonly session: number; readonly batch: Batch }
  | { readonly message: unknown };

export function encodeFrame(content: FrameContent): Uint8Array<ArrayBuffer> {
  return "batch" in content
    ? encodeBatch(content.session, content.batch)
    : encodeMessage(content.message);
}

/** A copy of all, end to end. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Cuts a stream of frames wherever it was chunked. What it has read is overwritten. */
export class FrameReader {
  #buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  #usedBytes = 0;

  /**
   * @param chunk may be used again by its owner: contents are copies
   * @throws FormatError "TRAILING" for a frame that is none; "FRAMER_FULL" for one that is too long
   */
  read(chunk: Uint8Array): readonly FrameContent[] {
    this.#append(chunk);
    const view = new DataView(this.#buffer.buffer);
    const contents: FrameContent[] = [];
    let at = 0;
    while (this.#usedBytes - at >= HEADER_BYTES) {
      const lengthBytes = view.getUint32(at, true);
      if (lengthBytes === 0) throw noFrame();
      if (lengthBytes > MAX_FRAME_BYTES) {
        throw new FormatError("FRAMER_FULL", `a frame of ${lengthBytes} bytes is too long`);
      }
      const end = at + 4 + lengthBytes;
      if (this.#usedBytes < end) break;
      contents.push(decodeFrame(this.#buffer[at + 4]!, this.#buffer, at + HEADER_BYTES, end));
      at = end;
    }
    this.#drop(at);
    return contents;
  }

  #append(chunk: Uint8Array): void {
    const neededBytes = this.#usedBytes + chunk.length;
    if (neededBytes > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(neededBytes, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.#usedBytes));
      this.#buffer.fill(0);
      this.#buffer = larger;
    }
    this.#buffer.set(chunk, this.#usedBytes);
    this.#usedBytes = neededBytes;
  }

  #drop(lengthBytes: number): void {
    this.#buffer.copyWithin(0, lengthBytes, this.#usedBytes);
    this.#buffer.fill(0, this.#usedBytes - lengthBytes, this.#usedBytes);
    this.#usedBytes -= lengthBytes;
    if (this.#usedBytes === 0 && this.#buffer.length > KEPT_BUFFER_BYTES) {
      this.#buffer = new Uint8Array(FIRST_BUFFER_BYTES);
    }
  }
}

/** @param at the payload is from there to `end` */
function decodeFrame(
  kind: number,
  bytes: Uint8Array<ArrayBuffer>,
  at: number,
  end: number,
): FrameContent {
  if (kind === KINDS.batch && end - at >= BATCH_HEADER_BYTES) {
    const view = new DataView(bytes.buffer);
    const numbersAt = at + BATCH_HEADER_BYTES;
    const numbersEnd = numbersAt + view.getUint32(at + 4, true) * 8;
    if (numbersEnd <= end) {
      const numbers = new Float64Array(bytes.buffer.slice(numbersAt, numbersEnd));
      const batch = { numbers, bytes: bytes.slice(numbersEnd, end) };
      return { session: view.getUint32(at, true), batch };
    }
  } else if (kind === KINDS.message && end - at >= 4) {
    return { message: decodeMessage(bytes.subarray(at, end)) };
  }
  throw noFrame();
}

function noFrame(): FormatError {
  return new FormatError("TRAILING", "a frame of the PKCS#11 process is none");
}

function encodeBatch(session: number, { numbers, bytes }: Batch): Uint8Array<ArrayBuffer> {
  const numberBytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  const header = new Uint8Array(BATCH_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, session, true);
  view.setUint32(4, numbers.length, true);
  return frame(KINDS.batch, [header, numberBytes, bytes]);
}

function encodeMessage(message: unknown): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const json = JSON.stringify(message, (_key, value) => {
    if (!(value instanceof Uint8Array)) return value;
    parts.push(value);
    return { [BYTES]: value.length };
  });
  const text = new TextEncoder().encode(json);
  const header = new Uint8Array(4);
  new DataView(header.buffer).setUint32(0, text.length, true);
  return frame(KINDS.message, [header, text, ...parts]);
}

function decodeMessage(payload: Uint8Array<ArrayBuffer>): unknown {
  let at = 4 + new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
  const text = new TextDecoder().decode(payload.subarray(4, at));
  try {
    return inOrder(JSON.parse(text));
  } catch (cause) {
    throw new FormatError("TRAILING", "a message of the PKCS#11 process is none", { cause });
  }

  /** Gives byte strings back in the order in which JSON.stringify met them. */
  function inOrder(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(inOrder);
    if (typeof value !== "object" || value === null) return value;
    const lengthBytes = (value as Record<string, unknown>)[BYTES];
    if (typeof lengthBytes !== "number") {
      return Object.fromEntries(Object.entries(value).map(([key, held]) => [key, inOrder(held)]));
    }
    return payload.slice(at, at += lengthBytes);
  }
}

function frame(kind: number, parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(HEADER_BYTES);
  const bytes = concat([header, ...parts]);
  new DataView(bytes.buffer).setUint32(0, bytes.length - 4, true);
  bytes[4] = kind;
  return bytes;
}

const KINDS = { batch: 0, message: 1 } as const;
const HEADER_BYTES = 5;
const BATCH_HEADER_BYTES = 8;

/** The key of what stands in JSON for a byte string: its length. */
const BYTES = "$bytes";

const FIRST_BUFFER_BYTES = 65_536;
/** What a long frame took beyond it is given back. */
const KEPT_BUFFER_BYTES = 1024 * 1024;

/** The keys of a token with 10,000 objects take a tenth of it. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;
