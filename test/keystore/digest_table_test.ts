import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { toHex } from "../../src/bytes/hex.ts";
import { DigestTable } from "../../src/keystore/digest_table.ts";

/** 20 bytes, few of which differ, so that digests share their hash and collide. */
const crowdedDigest = fc.array(fc.nat(1), { minLength: 20, maxLength: 20 })
  .map((bytes) => Uint8Array.from(bytes));

const anyDigest = fc.uint8Array({ minLength: 20, maxLength: 20 });

describe("DigestTable", () => {
  for (const [name, digest] of [["random", anyDigest], ["crowded", crowdedDigest]] as const) {
    test(`finds what a Map of hexadecimal finds, for ${name} digests`, () => {
      fc.assert(fc.property(fc.array(digest), fc.array(digest), (held, asked) => {
        const table = new DigestTable(held, 20);
        const first = new Map(
          held.map((each, position) => [toHex(each), position]).reverse() as [
            string,
            number,
          ][],
        );
        for (const each of [...held, ...asked]) {
          assert.equal(table.find(each), first.get(toHex(each)) ?? -1);
        }
      }));
    });
  }

  test("finds nothing in an empty table", () => {
    assert.equal(new DigestTable([], 20).find(new Uint8Array(20)), -1);
  });

  test("finds nothing for a digest of another length", () => {
    const table = new DigestTable([new Uint8Array(20)], 20);
    for (const length of [0, 1, 19, 21, 32]) assert.equal(table.find(new Uint8Array(length)), -1);
    assert.equal(table.find(new Uint8Array(20)), 0);
  });

  test("keeps its own copy of the digests", () => {
    const digest = new Uint8Array(20).fill(7);
    const table = new DigestTable([digest], 20);
    digest.fill(0);
    assert.equal(table.find(digest), -1);
    assert.equal(table.find(new Uint8Array(20).fill(7)), 0);
  });

  test("finds a digest that is a view of a larger buffer", () => {
    const packet = new Uint8Array(100).fill(9);
    const table = new DigestTable([new Uint8Array(20).fill(9)], 20);
    assert.equal(table.find(packet.subarray(40, 60)), 0);
  });
});
