import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FormatError } from "../../src/errors/errors.ts";
import { concat, encodeFrame, type FrameContent, FrameReader } from "../../src/hsm/frames.ts";

const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string({ unit: "binary" }).filter((text) => text.isWellFormed()),
    fc.integer(),
    fc.boolean(),
    fc.uint8Array(),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "c"), tie("value"), { noNullPrototype: true }),
  ),
})).value;

const contents: fc.Arbitrary<FrameContent> = fc.oneof(
  json.map((message) => ({ message })),
  fc.tuple(fc.nat(), fc.array(fc.double()), fc.uint8Array()).map(([session, numbers, bytes]) => {
    return { session, batch: { numbers: Float64Array.from(numbers), bytes } };
  }),
);

describe("FrameReader", () => {
  test("gives what was encoded, wherever the stream is cut", () => {
    const cuts = fc.array(fc.nat({ max: 200 }), { maxLength: 20 });
    fc.assert(fc.property(fc.array(contents, { maxLength: 5 }), cuts, (sent, cuts) => {
      const stream = concat(sent.map(encodeFrame));
      const reader = new FrameReader();
      const read: FrameContent[] = [];
      let at = 0;
      for (const length of [...cuts, stream.length]) {
        const chunk = Buffer.from(stream.subarray(at, at + length));
        read.push(...reader.read(chunk));
        chunk.fill(0xff); // it belongs to the caller
        at += length;
      }
      assert.deepEqual(read, sent);
    }));
  });

  test("reads a long frame in small chunks as fast as it comes", () => {
    const bytes = new Uint8Array(16 * 1024 * 1024).fill(7);
    const stream = encodeFrame({ session: 1, batch: { numbers: new Float64Array(3), bytes } });
    const reader = new FrameReader();
    const read: FrameContent[] = [];
    const sinceMs = performance.now();
    for (let at = 0; at < stream.length; at += 4_096) {
      read.push(...reader.read(stream.subarray(at, at + 4_096)));
    }
    assert.ok(performance.now() - sinceMs < 1_000, "a copy of all for each chunk takes some 10 s");
    assert.equal(read.length, 1);
  });

  test("gives contents or FormatError for any bytes", () => {
    const header = fc.tuple(fc.nat({ max: 40 }), fc.nat({ max: 3 })).map(([length, kind]) => {
      return Uint8Array.of(length, 0, 0, 0, kind);
    });
    const bytes = fc.tuple(fc.oneof(header, fc.uint8Array()), fc.uint8Array()).map(concat);
    fc.assert(fc.property(bytes, (bytes) => {
      try {
        new FrameReader().read(bytes);
      } catch (error) {
        assert.ok(error instanceof FormatError);
      }
    }));
  });

  test("refuses a frame that is too long before it comes", () => {
    const read = () => new FrameReader().read(Uint8Array.of(0, 0, 0, 0xff, 0));
    assert.throws(read, { code: "FRAMER_FULL" });
  });
});
