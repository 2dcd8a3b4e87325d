import "hdr-histogram-js/dist/JsHistogram.encoding.js";
import { Buffer } from "node:buffer";
import { inflateSync } from "node:zlib";
import { constructorFromBucketSize } from "hdr-histogram-js/dist/JsHistogramFactory.js";
import ByteBuffer from "hdr-histogram-js/dist/ByteBuffer.js";
import { JsHistogram } from "hdr-histogram-js/dist/JsHistogram.js";
import ZigZagEncoding from "hdr-histogram-js/dist/ZigZagEncoding.js";
import { KeylessError } from "../errors/errors.ts";

/** Durations in nanoseconds, within 0.1 %: HdrHistogram's, with everything that it can. */
export type Histogram = JsHistogram;

/** An empty one, 270 KB. All have the same geometry, so that any two can be added. */
export function createHistogram(): Histogram {
  return new Histogram64(FINEST_NS, LONGEST_NS, SIGNIFICANT_DIGITS);
}

/** What `recordValue` takes: a whole number that the histogram can hold. */
export function clampNs(nanoseconds: number): number {
  return Math.min(Math.max(Math.round(nanoseconds), 0), LONGEST_NS);
}

/** HdrHistogram's V2 encoding, compressed, in base64. */
export function encodeHistogram(histogram: Histogram): string {
  return histogram.encodeIntoCompressedBase64();
}

/**
 * The histogram that `encodeHistogram` wrote.
 *
 * @throws KeylessError "FILE_READ" for other text, and for a histogram of another geometry
 */
export function decodeHistogram(text: string): Histogram {
  try {
    const packed = Buffer.from(text, "base64");
    const plain = inflateSync(packed.subarray(COMPRESSED_HEADER_BYTES), {
      maxOutputLength: MAX_ENCODED_BYTES,
    });
    if (packed.readUInt32BE(0) !== COMPRESSED_COOKIE || !hasOurGeometry(plain)) throw new Error();
    const bytes = new Uint8Array(plain);
    if (!hasCountsThatFit(bytes)) throw new Error();
    return JsHistogram.decode(bytes, BITS);
  } catch (cause) {
    const what = "no histogram that keyless bench wrote (HdrHistogram V2, compressed, base64)";
    throw new KeylessError("FILE_READ", what, { cause });
  }
}

/**
 * Pairs of value and count, all that a histogram holds, its largest value as it is: what threads
 * hand to one another.
 */
export function toPairs(histogram: Histogram): Float64Array {
  const pairs: number[] = [];
  if (histogram.totalCount === 0) return new Float64Array(0);
  const end = histogram.countsArrayIndex(histogram.maxValue);
  for (let index = 0; index <= end; index++) {
    const count = histogram.getCountAtIndex(index);
    if (count > 0) pairs.push(histogram.valueFromIndex(index), count);
  }
  pairs[pairs.length - 2] = histogram.maxValue;
  return Float64Array.from(pairs);
}

/** Adds what `toPairs` gave. */
export function addPairs(histogram: Histogram, pairs: Float64Array): void {
  for (let at = 0; at < pairs.length; at += 2) {
    histogram.recordValueWithCount(pairs[at]!, pairs[at + 1]!);
  }
}

const FINEST_NS = 1;
/** An hour; longer ones count as this. */
const LONGEST_NS = 3_600_000_000_000;
const SIGNIFICANT_DIGITS = 3;
const BITS = 64;

/** The package's main module would bring its WebAssembly along. */
const Histogram64 = constructorFromBucketSize(BITS);
const COUNTS = createHistogram().countsArrayLength;

/** HdrHistogram's V2 cookies: of the outer, compressed, and of the inner form. */
const COMPRESSED_COOKIE = 0x1c849314;
const PLAIN_COOKIE = 0x1c849313;
const COMPRESSED_HEADER_BYTES = 8;
const PLAIN_HEADER_BYTES = 40;
/** A count takes at most nine bytes. */
const MAX_ENCODED_BYTES = PLAIN_HEADER_BYTES + COUNTS * 9;

/** cookie, payload length, index offset, digits: 4 bytes each; lowest, highest, ratio: 8 each. */
function hasOurGeometry(plain: Buffer): boolean {
  return plain.readUInt32BE(0) === PLAIN_COOKIE &&
    plain.readUInt32BE(4) === plain.length - PLAIN_HEADER_BYTES &&
    plain.readUInt32BE(12) === SIGNIFICANT_DIGITS &&
    plain.readBigInt64BE(16) === BigInt(FINEST_NS) &&
    plain.readBigInt64BE(24) === BigInt(LONGEST_NS);
}

/**
 * Whether the counts end with the bytes, and there are not more of them than a histogram has: a
 * negative one stands for so many zeros, over which the package would go for years.
 */
function hasCountsThatFit(plain: Uint8Array): boolean {
  const buffer = new (classOf(ByteBuffer))(plain);
  buffer.position = PLAIN_HEADER_BYTES;
  let slots = 0;
  while (buffer.position < plain.length && slots <= COUNTS) {
    const count = classOf(ZigZagEncoding).decode(buffer);
    if (!Number.isSafeInteger(count)) return false;
    slots += count < 0 ? -count : 1;
  }
  return buffer.position === plain.length && slots <= COUNTS;
}

/** Deno imports the CommonJS module, Bun what is its default. */
function classOf<T>(module: { readonly default: T }): T {
  return module.default ?? module as unknown as T;
}
