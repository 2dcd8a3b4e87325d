import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ByteReader } from "../../src/bytes/reader.ts";
import { FormatError } from "../../src/errors/errors.ts";

describe("ByteReader", () => {
  test("reads big-endian numbers, the highest too", () => {
    const reader = new ByteReader(Uint8Array.of(0xfe, 0xfe, 0xdc, 0xfe, 0xdc, 0xba, 0x98));
    assert.equal(reader.u8(), 0xfe);
    assert.equal(reader.u16(), 0xfedc);
    assert.equal(reader.u32(), 0xfedc_ba98);
    assert.equal(reader.left, 0);
  });

  test("takes views of the bytes: no copy", () => {
    const bytes = Uint8Array.of(1, 2, 3, 4);
    const reader = new ByteReader(bytes);
    reader.u8();
    const taken = reader.take(2);
    assert.deepEqual(taken, Uint8Array.of(2, 3));
    assert.equal(taken.buffer, bytes.buffer);
    assert.equal(reader.left, 1);
  });

  test("reads a view that does not start where its memory starts", () => {
    const reader = new ByteReader(Uint8Array.of(9, 9, 1, 2, 9).subarray(2, 4));
    assert.equal(reader.u16(), 0x0102);
    assert.throws(() => reader.u8(), isShort);
  });

  test("takes nothing, at the end too", () => {
    assert.equal(new ByteReader(new Uint8Array(0)).take(0).length, 0);
  });

  const reads: readonly [what: string, needs: number, read: (reader: ByteReader) => unknown][] = [
    ["u8", 1, (reader) => reader.u8()],
    ["u16", 2, (reader) => reader.u16()],
    ["u32", 4, (reader) => reader.u32()],
    ["take", 7, (reader) => reader.take(7)],
  ];
  for (const [what, needs, read] of reads) {
    test(`${what} reads the last ${needs} bytes`, () => {
      const reader = new ByteReader(new Uint8Array(needs));
      read(reader);
      assert.equal(reader.left, 0);
    });

    test(`${what} refuses bytes that are one short, and moves nothing`, () => {
      const reader = new ByteReader(new Uint8Array(needs - 1));
      assert.throws(() => read(reader), isShort);
      assert.equal(reader.left, needs - 1);
    });
  }

  test("gives all bytes once, in order, however they are taken", () => {
    const lengths = fc.array(fc.nat(20), { maxLength: 20 });
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), lengths, (bytes, takes) => {
      const reader = new ByteReader(bytes);
      const seen: number[] = [];
      for (const lengthBytes of takes) {
        if (lengthBytes <= reader.left) seen.push(...reader.take(lengthBytes));
        else assert.throws(() => reader.take(lengthBytes), isShort);
      }
      seen.push(...reader.take(reader.left));
      assert.deepEqual(Uint8Array.from(seen), bytes);
    }));
  });
});

function isShort(error: unknown): boolean {
  return error instanceof FormatError && error.code === "SHORT";
}
