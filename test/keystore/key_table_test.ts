import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toHex } from "../../src/bytes/hex.ts";
import type { LoadedKey } from "../../src/crypto/engine.ts";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { KeyTable } from "../../src/keystore/key_table.ts";
import { keyOf, publicKeyOf } from "../support/openssl.ts";

const POINT_BYTES = 64;
const EC = publicKeyOf(keyOf("P-256"));
const FIXED = ["RSA 2048", "RSA 3072", "Ed25519", "P-384"] as const;

/** Public keys of several kinds and lengths, those of P-256 on any point, some more than once. */
const spkis = fc.array(fc.oneof(
  fc.constantFrom(...FIXED.map((kind) => publicKeyOf(keyOf(kind)))),
  fc.uint8Array({ minLength: 1, maxLength: 2 }).map((mark) => {
    const spki = EC.slice();
    spki.set(mark, spki.length - POINT_BYTES);
    return spki;
  }),
));

test("a table of keys gives back what was put into it, of equal keys the first", () => {
  fc.assert(fc.property(spkis, (all) => {
    const table = new KeyTable(all.length);
    const kept = new Map<string, { readonly path: string; readonly key: LoadedKey }>();
    for (const [handle, spki] of all.entries()) {
      const key = { info: describePublicKey(spki), handle };
      const path = `/keys/${handle}.key`;
      const ski = toHex(key.info.ski);
      const same = [...kept.keys()].indexOf(ski);
      assert.equal(table.add(path, key), same < 0 ? undefined : same);
      if (same < 0) kept.set(ski, { path, key });
    }
    assert.equal(table.size, kept.size);
    for (const [position, { path, key }] of [...kept.values()].entries()) {
      const { type, bits, ski, digest } = key.info;
      const stored = table.stored(position);
      assert.equal(stored.path, path);
      assert.deepEqual(stored.shape, { type, bits });
      assert.deepEqual(stored.info, key.info);
      assert.deepEqual(table.key(position), { info: { type, bits }, handle: key.handle });
      assert.equal(table.bySki.find(ski), position);
      assert.equal(table.byDigest.find(digest ?? new Uint8Array(32)), digest ? position : -1);
    }
    const labels = new Set(table.shapes.map(({ type, bits }) => `${type} ${bits}`));
    assert.equal(labels.size, table.shapes.length, "each shape once");
  }));
});
