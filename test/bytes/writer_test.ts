import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ByteReader } from "../../src/bytes/reader.ts";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { FormatError } from "../../src/errors/errors.ts";

describe("ByteWriter", () => {
  test("writes big-endian numbers and bytes, and leaves zeros where nothing is written", () => {
    const writer = new ByteWriter(11);
    writer.u8(0xfe);
    writer.u16(0xfedc);
    writer.u32(0xfedc_ba98);
    writer.put(Uint8Array.of(1, 2));
    const expected = [0xfe, 0xfe, 0xdc, 0xfe, 0xdc, 0xba, 0x98, 1, 2, 0, 0];
    assert.deepEqual(writer.bytes, Uint8Array.from(expected));
  });

  test("is undone by the reader", () => {
    const values = [
      fc.nat(0xff),
      fc.nat(0xffff),
      fc.integer({ min: 0, max: 0xffff_ffff }),
    ] as const;
    fc.assert(fc.property(...values, fc.uint8Array(), (byte, short, long, bytes) => {
      const writer = new ByteWriter(7 + bytes.length);
      writer.u8(byte);
      writer.u16(short);
      writer.u32(long);
      writer.put(bytes);
      const reader = new ByteReader(writer.bytes);
      assert.deepEqual([reader.u8(), reader.u16(), reader.u32()], [byte, short, long]);
      assert.deepEqual(reader.take(reader.left), bytes);
    }));
  });

  type Write = (writer: ByteWriter, value: number) => void;
  const numbers: readonly [what: string, lengthBytes: number, most: number, write: Write][] = [
    ["u8", 1, 0xff, (writer, value) => writer.u8(value)],
    ["u16", 2, 0xffff, (writer, value) => writer.u16(value)],
    ["u32", 4, 0xffff_ffff, (writer, value) => writer.u32(value)],
  ];
  for (const [what, lengthBytes, most, write] of numbers) {
    test(`${what} writes 0 and ${most}`, () => {
      for (const value of [0, most]) {
        const writer = new ByteWriter(lengthBytes);
        write(writer, value);
        assert.deepEqual(writer.bytes, new Uint8Array(lengthBytes).fill(value === 0 ? 0 : 0xff));
      }
    });

    for (const value of [-1, most + 1, 0.5, NaN, Infinity]) {
      test(`${what} refuses ${value}, and writes nothing`, () => {
        const writer = new ByteWriter(lengthBytes);
        assert.throws(() => write(writer, value), isTooLong);
        write(writer, most);
        assert.deepEqual(writer.bytes, new Uint8Array(lengthBytes).fill(0xff));
      });
    }

    test(`${what} refuses to write past the end`, () => {
      assert.throws(() => write(new ByteWriter(lengthBytes - 1), 0), isTooLong);
    });
  }

  test("put fills the buffer to its end, and refuses one byte more", () => {
    const writer = new ByteWriter(3);
    assert.throws(() => writer.put(new Uint8Array(4)), isTooLong);
    writer.put(Uint8Array.of(1, 2, 3));
    writer.put(new Uint8Array(0));
    assert.throws(() => writer.put(Uint8Array.of(4)), isTooLong);
    assert.deepEqual(writer.bytes, Uint8Array.of(1, 2, 3));
  });
});

function isTooLong(error: unknown): boolean {
  return error instanceof FormatError && error.code === "TOO_LONG";
}
