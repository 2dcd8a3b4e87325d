import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { toHex } from "../../src/bytes/hex.ts";
import { DigestTable } from "../../src/keystore/digest_table.ts";

/** 20 bytes, few of which differ, so that digests share their hash and collide. */
const crowdedDigest = fc.array(fc.nat(1), { minLength: 20, maxLength: 20 })
  .map((bytes) => Uint8Array.from(bytes));

const anyDigest = fc.uint8Array({ minLength: 20, maxLength: 20 });

/** A table with digests at their places in the list. */
function tableOf(digests: readonly Uint8Array[]): DigestTable {
  const table = DigestTable.empty(20, digests.length);
  for (const [position, digest] of digests.entries()) table.add(digest, position);
  return table;
}

describe("DigestTable", () => {
  for (const [name, digest] of [["random", anyDigest], ["crowded", crowdedDigest]] as const) {
    test(`finds what a Map of hexadecimal finds, here and in its memory, for ${name} digests`, () => {
      fc.assert(fc.property(fc.array(digest), fc.array(digest), (held, asked) => {
        const table = DigestTable.empty(20, held.length);
        const first = new Map<string, number>();
        for (const [position, each] of held.entries()) {
          if (!first.has(toHex(each))) first.set(toHex(each), position);
          assert.equal(table.add(each, position), first.get(toHex(each)));
        }
        const shared = new DigestTable(structuredClone(table.memory));
        for (const each of [...held, ...asked]) {
          assert.equal(table.find(each), first.get(toHex(each)) ?? -1);
          assert.equal(shared.find(each), table.find(each));
        }
      }));
    });
  }

  test("holds a digest at any position below its capacity, and no other position's", () => {
    const table = DigestTable.empty(20, 1_000);
    assert.equal(table.add(new Uint8Array(20).fill(1), 999), 999);
    assert.equal(table.add(new Uint8Array(20).fill(2), 0), 0);
    assert.equal(table.find(new Uint8Array(20).fill(1)), 999);
    assert.equal(table.find(new Uint8Array(20).fill(2)), 0);
    assert.equal(table.find(new Uint8Array(20)), -1, "zeros are what the memory was made of");
  });

  test("finds nothing in an empty table", () => {
    assert.equal(DigestTable.empty(20, 0).find(new Uint8Array(20)), -1);
  });

  test("finds nothing for a digest of another length", () => {
    const table = tableOf([new Uint8Array(20)]);
    for (const length of [0, 1, 19, 21, 32]) assert.equal(table.find(new Uint8Array(length)), -1);
    assert.equal(table.find(new Uint8Array(20)), 0);
  });

  test("keeps its own copy of the digests", () => {
    const digest = new Uint8Array(20).fill(7);
    const table = tableOf([digest]);
    digest.fill(0);
    assert.equal(table.find(digest), -1);
    assert.equal(table.find(new Uint8Array(20).fill(7)), 0);
  });

  test("finds a digest that is a view of a larger buffer", () => {
    const packet = new Uint8Array(100).fill(9);
    const table = tableOf([new Uint8Array(20).fill(9)]);
    assert.equal(table.find(packet.subarray(40, 60)), 0);
  });
});
