import { ByteReader } from "../bytes/reader.ts";
import type { ByteWriter } from "../bytes/writer.ts";
import { FormatError } from "../errors/errors.ts";
import { type Item, type ItemForms, ITEMS, PADDING_TAG } from "./tags.ts";

/**
 * What a packet asks or answers: each item of its body, absent where the body has none.
 *
 *     byte  0     1        3            3 + length
 *           | tag | length | value      |   length: u16, big-endian
 *
 * An opcode is one of `OPCODES`; an SKI has 20 bytes; a digest, SHA-256 of an RSA modulus in
 * upper-case hexadecimal, has 32; an IP address has 4 or 16, in network order; a region is a byte.
 * All values together, with 3 bytes more for each, have at most 65,535 bytes.
 *
 * Byte values are views of the packet that they were decoded from. A text is decoded as UTF-8 with
 * replacement characters for what is none: it names things, and is never compared as bytes.
 */
export type Operation = {
  readonly [I in Item as I["field"]]?: ItemForms[I["form"]] | undefined;
};

/** Decoded operations always have all fields, so that the engine sees one shape of object. */
type Draft = { -readonly [I in Item as I["field"]]: ItemForms[I["form"]] | undefined };

/**
 * The operation that a packet's body spells.
 *
 * Unknown tags are passed over, so that the protocol can grow. Throws FormatError: "SHORT" for an
 * item that overruns the body, "TRAILING" for one or two bytes after the last item (stricter than
 * the reference, which overlooks them), "ITEM_REPEATED", "ITEM_LENGTH".
 */
export function decodeOperation(body: Uint8Array): Operation {
  const draft = emptyDraft();
  const reader = new ByteReader(body);
  let padded = false;
  while (reader.left > 0) {
    if (reader.left < ITEM_HEADER_BYTES) {
      throw new FormatError("TRAILING", `${reader.left} bytes stand after the last item`);
    }
    const tag = reader.u8();
    const value = reader.take(reader.u16());
    if (tag === PADDING_TAG) {
      if (padded) throw repeated("padding");
      padded = true;
      continue;
    }
    const item = ITEM_OF_TAG[tag];
    if (item !== undefined) setField(draft, item, value);
  }
  return draft;
}

/** The same operation, whose bytes are copies: it does not keep the packet in memory. */
export function withOwnBytes(operation: Operation): Operation {
  const copy: Draft = { ...emptyDraft(), ...operation };
  for (const item of ITEMS) {
    if (item.form === "bytes") copy[item.field] = copy[item.field]?.slice();
  }
  return copy;
}

/** Bytes that `encodeItems` will write. */
export function itemsLength(operation: Operation): number {
  let lengthBytes = 0;
  for (const item of ITEMS) {
    const value = operation[item.field];
    if (value !== undefined && !isLeftOut(value)) {
      lengthBytes += ITEM_HEADER_BYTES + valueLength(value);
    }
  }
  return lengthBytes;
}

/**
 * Writes the items of an operation in the protocol's order, without padding. An empty payload or
 * text is left out, as the reference does.
 *
 * Throws FormatError "ITEM_LENGTH" for a value of a length that its tag forbids, "TOO_LONG" for one
 * of more than 65,535 bytes and for a number that is no byte.
 */
export function encodeItems(operation: Operation, writer: ByteWriter): void {
  for (const item of ITEMS) {
    const value = operation[item.field];
    if (value === undefined || isLeftOut(value)) continue;
    writer.u8(item.tag);
    if (typeof value === "number") {
      writer.u16(1);
      writer.u8(value);
      continue;
    }
    const bytes = typeof value === "string" ? UTF8_ENCODER.encode(value) : value;
    checkLength(item, bytes);
    writer.u16(bytes.length);
    writer.put(bytes);
  }
}

export const ITEM_HEADER_BYTES = 3;

const ITEM_OF_TAG: readonly (Item | undefined)[] = Array.from(
  { length: 0x100 },
  (_, tag) => ITEMS.find((item) => item.tag === tag),
);

const UTF8_DECODER = new TextDecoder("utf-8", { ignoreBOM: true });
const UTF8_ENCODER = new TextEncoder();

function setField(draft: Draft, item: Item, value: Uint8Array): void {
  if (draft[item.field] !== undefined) throw repeated(item.name);
  checkLength(item, value);
  const fields = draft as Record<Item["field"], ItemForms[keyof ItemForms] | undefined>;
  if (item.form === "bytes") fields[item.field] = value;
  else if (item.form === "byte") fields[item.field] = value[0]!;
  else fields[item.field] = UTF8_DECODER.decode(value);
}

function checkLength(item: Item, value: Uint8Array): void {
  if (!("lengths" in item)) return;
  const lengths: readonly number[] = item.lengths;
  if (lengths.includes(value.length)) return;
  throw new FormatError(
    "ITEM_LENGTH",
    `the ${item.name} has ${value.length} bytes; it takes ${lengths.join(" or ")}`,
  );
}

function repeated(name: string): FormatError {
  return new FormatError("ITEM_REPEATED", `the ${name} stands twice; it may stand once`);
}

function isLeftOut(value: number | string | Uint8Array): boolean {
  return typeof value !== "number" && value.length === 0;
}

function valueLength(value: number | string | Uint8Array): number {
  if (typeof value === "number") return 1;
  return typeof value === "string" ? UTF8_ENCODER.encode(value).length : value.length;
}

function emptyDraft(): Draft {
  return {
    opcode: undefined,
    payload: undefined,
    extra: undefined,
    ski: undefined,
    digest: undefined,
    clientIp: undefined,
    serverIp: undefined,
    serverName: undefined,
    certificateId: undefined,
    customFunction: undefined,
    span: undefined,
    context: undefined,
    region: undefined,
  };
}
