import { ByteReader } from "../bytes/reader.ts";
import { ByteWriter } from "../bytes/writer.ts";
import { fromHex, toHex } from "../bytes/hex.ts";

/** Where a request stands in a trace. Ids are lower-case hexadecimal. */
export interface SpanContext {
  /** 32 digits, not all of them zero. */
  readonly traceId: string;
  /** 16 digits, not all of them zero. */
  readonly spanId: string;
  /** 16 digits; all zero for the first span of a trace. */
  readonly parentId: string;
  /** A byte of `SPAN_FLAGS`, and of others that are passed on as they are. */
  readonly flags: number;
}

/** What Jaeger's flags say. A trace that is debugged is recorded as well. */
export const SPAN_FLAGS = { SAMPLED: 0x01, DEBUG: 0x02 } as const;

/**
 * The span context of a packet's span item, in either of Jaeger's forms; undefined for anything
 * else, and for ids of zero. Baggage is checked and left out.
 *
 *     text    trace-id : span-id : parent-id : flags     hexadecimal, leading zeros may be missing
 *     binary  trace id 16 | span id 8 | parent id 8 | flags 1 | baggage count u32 | baggage
 *             a piece of baggage: key length u32 | key | value length u32 | value
 *
 * Source: the protocol page, tag 0x15; Jaeger's "Client Libraries", "Propagation Format", and the
 * binary propagation of its clients. No bytes are right in both forms: those of a text would be a
 * count of baggage that no packet can carry.
 */
export function decodeSpan(item: Uint8Array): SpanContext | undefined {
  const span = decodeBinary(item) ?? decodeText(item);
  return span === undefined || isZero(span.traceId) || isZero(span.spanId) ? undefined : span;
}

/** The binary form, 37 bytes. */
export function encodeSpan({ traceId, spanId, parentId, flags }: SpanContext): Uint8Array {
  const writer = new ByteWriter(BINARY_BYTES);
  for (const id of [traceId, spanId, parentId]) writer.put(fromHex(id)!);
  writer.u8(flags);
  writer.u32(0);
  return writer.bytes;
}

export const NO_PARENT = "0".repeat(16);

const BINARY_BYTES = 37;
const MAX_TEXT_BYTES = 69;
const TEXT = /^([0-9a-f]{1,32}):([0-9a-f]{1,16}):([0-9a-f]{1,16}):([0-9a-f]{1,2})$/;

function decodeText(item: Uint8Array): SpanContext | undefined {
  if (item.length > MAX_TEXT_BYTES) return undefined;
  const match = TEXT.exec(String.fromCharCode(...item).toLowerCase());
  if (match === null) return undefined;
  const [, traceId = "", spanId = "", parentId = "", flags = ""] = match;
  return {
    traceId: traceId.padStart(32, "0"),
    spanId: spanId.padStart(16, "0"),
    parentId: parentId.padStart(16, "0"),
    flags: parseInt(flags, 16),
  };
}

function decodeBinary(item: Uint8Array): SpanContext | undefined {
  if (item.length < BINARY_BYTES) return undefined;
  const reader = new ByteReader(item);
  const span = {
    traceId: toHex(reader.take(16)),
    spanId: toHex(reader.take(8)),
    parentId: toHex(reader.take(8)),
    flags: reader.u8(),
  };
  return skipBaggage(reader) ? span : undefined;
}

/** Whether what is left is baggage and nothing more. */
function skipBaggage(reader: ByteReader): boolean {
  const strings = 2 * reader.u32();
  for (let i = 0; i < strings; i++) {
    if (reader.left < 4) return false;
    const lengthBytes = reader.u32();
    if (reader.left < lengthBytes) return false;
    reader.take(lengthBytes);
  }
  return reader.left === 0;
}

function isZero(id: string): boolean {
  return /^0+$/.test(id);
}
