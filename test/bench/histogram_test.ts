import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import {
  addPairs,
  clampNs,
  createHistogram,
  decodeHistogram,
  encodeHistogram,
  toPairs,
} from "../../src/bench/histogram.ts";
import { KeylessError } from "../../src/errors/errors.ts";

const durations = fc.array(fc.integer({ min: 0, max: 3_600_000_000_000 }), { maxLength: 50 });
const PERCENTILES = [0, 50, 99, 99.99, 100];

function histogramOf(values: readonly number[]) {
  const histogram = createHistogram();
  for (const value of values) histogram.recordValue(value);
  return histogram;
}

describe("a histogram", () => {
  test("is the same after it was written and read", () => {
    fc.assert(
      fc.property(durations, (values) => {
        const histogram = histogramOf(values);
        const read = decodeHistogram(encodeHistogram(histogram));
        assert.deepEqual(toBuckets(read), toBuckets(histogram));
        assert.equal(read.totalCount, values.length);
      }),
      { numRuns: 20 },
    );
  });

  test("that is handed over in pairs gives the same percentiles, and the same maximum", () => {
    fc.assert(
      fc.property(durations, durations, (before, after) => {
        const sum = histogramOf(before);
        addPairs(sum, toPairs(histogramOf(after)));
        const whole = histogramOf([...before, ...after]);
        assert.equal(sum.totalCount, whole.totalCount);
        assert.equal(sum.maxValue, whole.maxValue);
        for (const percentile of PERCENTILES) {
          assert.equal(
            sum.getValueAtPercentile(percentile),
            whole.getValueAtPercentile(percentile),
          );
        }
      }),
      { numRuns: 20 },
    );
  });

  test("takes times of any length, rounded and within its bounds", () => {
    assert.deepEqual([-1, 0.4, 1.6, 1e15, Infinity].map(clampNs), [0, 0, 2, 3.6e12, 3.6e12]);
    histogramOf([clampNs(Infinity)]);
  });
});

describe("decodeHistogram", () => {
  const header = (digits: number, highest: bigint, lengthBytes = 0) => {
    const plain = Buffer.alloc(40 + lengthBytes);
    plain.writeUInt32BE(0x1c849313, 0);
    plain.writeUInt32BE(lengthBytes, 4);
    plain.writeUInt32BE(digits, 12);
    plain.writeBigInt64BE(1n, 16);
    plain.writeBigInt64BE(highest, 24);
    return plain;
  };
  const packed = (plain: Uint8Array, cookie = 0x1c849314) => {
    const outer = Buffer.alloc(8);
    const compressed = deflateSync(plain);
    outer.writeUInt32BE(cookie, 0);
    outer.writeUInt32BE(compressed.length, 4);
    return Buffer.concat([outer, compressed]).toString("base64");
  };
  const HOUR = 3_600_000_000_000n;
  const withCounts = (counts: readonly number[]) => {
    const plain = header(3, HOUR, counts.length);
    plain.set(counts, 40);
    return plain;
  };

  test("takes an empty one of its own geometry", () => {
    assert.equal(decodeHistogram(packed(header(3, HOUR))).totalCount, 0);
    const zeros = withCounts([0xff, 0x8f, 4]); // 33,792 of them, as many as there are
    assert.equal(decodeHistogram(packed(zeros)).totalCount, 0);
  });

  const refused: readonly [what: string, text: string][] = [
    ["no text", ""],
    ["another cookie", packed(header(3, HOUR), 0x1c849304)],
    ["another precision", packed(header(2, HOUR))],
    ["a geometry that would take all memory", packed(header(5, 2n ** 53n))],
    ["a length that is not that of its counts", packed(header(3, HOUR, 8).subarray(0, 44))],
    ["a run of zeros without end", packed(withCounts([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]))],
    ["a run of zeros that is one too long", packed(withCounts([0x81, 0x90, 4]))],
    ["a count that is cut short", packed(withCounts([0x80]))],
    ["what inflates without end", packed(Buffer.alloc(50_000_000))],
  ];
  for (const [what, text] of refused) {
    test(`refuses ${what}`, () => {
      assert.throws(() => decodeHistogram(text), { code: "FILE_READ" });
    });
  }

  test("any text gives a histogram, or a KeylessError", () => {
    const plain = fc.uint8Array({ maxLength: 60 });
    const text = fc.oneof(
      fc.string(),
      fc.base64String(),
      plain.map((bytes) => packed(bytes)),
      plain.map((bytes) => packed(withCounts([...bytes]))),
    );
    fc.assert(fc.property(text, (each) => {
      try {
        assert.ok(decodeHistogram(each).totalCount >= 0);
      } catch (thrown) {
        assert.ok(thrown instanceof KeylessError);
      }
    }));
  });
});

function toBuckets(histogram: ReturnType<typeof createHistogram>) {
  const buckets: [number, number][] = [];
  for (let index = 0; index < histogram.countsArrayLength; index++) {
    const count = histogram.getCountAtIndex(index);
    if (count > 0) buckets.push([index, count]);
  }
  return buckets;
}
