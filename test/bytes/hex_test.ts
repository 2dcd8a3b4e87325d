import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../../src/bytes/hex.ts";

describe("hex", () => {
  test("toHex is undone by fromHex, in upper case and with colons too", () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => {
      const hex = toHex(bytes);
      const withColons = hex.replaceAll(/(..)(?=.)/g, "$1:");
      for (const text of [hex, hex.toUpperCase(), withColons]) {
        assert.deepEqual(fromHex(text), bytes);
      }
    }));
  });

  test("toHex writes a view, not the memory around it", () => {
    assert.equal(toHex(Uint8Array.of(0xff, 0x0a, 0xff).subarray(1, 2)), "0a");
  });

  for (
    const text of ["0", "0g", "0x00", "00 11", ":", "00:", ":00", "00::11", "0:0", " 00", "００"]
  ) {
    test(`fromHex takes ${JSON.stringify(text)} for no hexadecimal`, () => {
      assert.equal(fromHex(text), undefined);
    });
  }

  test("fromHex gives bytes or undefined for any text", () => {
    fc.assert(fc.property(fc.string(), (text) => {
      const bytes = fromHex(text);
      assert.ok(bytes === undefined || bytes.length * 2 === text.replaceAll(":", "").length);
    }));
  });
});
