import { ByteWriter } from "../bytes/writer.ts";
import { FormatError } from "../errors/errors.ts";
import { encodeItems, ITEM_HEADER_BYTES, itemsLength, type Operation } from "./operation.ts";
import { PADDING_TAG } from "./tags.ts";

/**
 * A packet of the wire: a header, then a body of items.
 *
 *     byte  0       1       2              4        8          8 + length
 *           | major | minor | length (u16) | id u32 | body     |
 *
 * Source: the protocol page, "packet".
 */
export interface Packet {
  readonly major: number;
  readonly minor: number;
  /** Chosen by the client; the answer bears the same. */
  readonly id: number;
  /** A view of the bytes that the packet came in. */
  readonly body: Uint8Array;
}

export const PACKET_HEADER_BYTES = 8;
export const MAX_BODY_BYTES = 0xffff;
export const VERSION_MAJOR = 1;
export const VERSION_MINOR = 0;

/** Packets shorter than this are filled up, so that their length tells an onlooker little. */
export const PADDED_PACKET_BYTES = 1_024;

/** A packet that is to be written, and how long it will be, its header included. */
export interface PacketDraft {
  readonly id: number;
  readonly operation: Operation;
  readonly lengthBytes: number;
  /** Zero bytes in its padding item; undefined where it has none. */
  readonly paddingBytes: number | undefined;
}

/**
 * One packet, header included, padded as the reference pads: up to 1,024 bytes with one padding
 * item, whose own header may lead to 1,026.
 *
 * @returns a fresh buffer that belongs to the caller
 * @throws FormatError "TOO_LONG" for a body of more than 65,535 bytes, "ITEM_LENGTH"
 */
export function encodePacket(id: number, operation: Operation): Uint8Array {
  return encodePackets([draftPacket(id, operation)]);
}

/**
 * What `encodePackets` takes; the operation's bytes are read by that.
 *
 * @throws FormatError "TOO_LONG" for a body of more than 65,535 bytes
 */
export function draftPacket(id: number, operation: Operation): PacketDraft {
  const items = itemsLength(operation);
  const padding = paddingOf(items);
  const body = items + (padding === undefined ? 0 : ITEM_HEADER_BYTES + padding);
  if (body > MAX_BODY_BYTES) {
    throw new FormatError(
      "TOO_LONG",
      `the packet's body would have ${body} bytes; it may have ${MAX_BODY_BYTES}`,
    );
  }
  return { id, operation, lengthBytes: PACKET_HEADER_BYTES + body, paddingBytes: padding };
}

/**
 * Packets one behind the other, in a buffer that belongs to the caller. Padded as by `encodePacket`.
 *
 * @throws FormatError "TOO_LONG" for a number that does not fit, "ITEM_LENGTH"
 */
export function encodePackets(drafts: readonly PacketDraft[]): Uint8Array {
  const writer = new ByteWriter(drafts.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0));
  for (const draft of drafts) writePacket(draft, writer);
  return writer.bytes;
}

function writePacket(draft: PacketDraft, writer: ByteWriter): void {
  const { id, operation, lengthBytes, paddingBytes } = draft;
  writer.u8(VERSION_MAJOR);
  writer.u8(VERSION_MINOR);
  writer.u16(lengthBytes - PACKET_HEADER_BYTES);
  writer.u32(id);
  encodeItems(operation, writer);
  if (paddingBytes === undefined) return;
  writer.u8(PADDING_TAG);
  writer.u16(paddingBytes);
  writer.skip(paddingBytes);
}

/** Zero bytes in the padding item, or undefined where a packet is long enough without one. */
function paddingOf(items: number): number | undefined {
  const packet = PACKET_HEADER_BYTES + items;
  if (packet >= PADDED_PACKET_BYTES) return undefined;
  return Math.max(0, PADDED_PACKET_BYTES - packet - ITEM_HEADER_BYTES);
}
