import assert from "node:assert/strict";
import { test } from "node:test";
import type { Engine, PrivateKey } from "../../src/crypto/engine.ts";
import { LibcryptoEngine } from "../../src/crypto/libcrypto_engine.ts";
import { OperationCosts } from "../../src/crypto/operation_cost.ts";
import { openLibcrypto } from "../../src/runtime/libcrypto.ts";
import { type KeyKind, keyOf } from "../support/openssl.ts";

const engine = new LibcryptoEngine(openLibcrypto());

test("a kind of key has its cost, and RSA of 2048 bits costs more than P-256", () => {
  const costs = new OperationCosts(engine);
  const found = new Map<KeyKind, number>();
  for (const kind of ["P-256", "P-384", "Ed25519", "RSA 2048"] as const) {
    const key = engine.load(keyOf(kind));
    found.set(kind, costs.of(key));
    assert.ok(found.get(kind)! > 0, kind);
    engine.free(key);
  }
  assert.ok(found.get("RSA 2048")! > 3 * found.get("P-256")!);
});

test("a kind and size is measured once, whichever of its keys comes, with some runs", () => {
  const used: PrivateKey[] = [];
  const counting: Engine = {
    name: "libcrypto",
    version: "",
    warning: undefined,
    load: () => assert.fail(),
    decrypt: () => assert.fail(),
    free: () => {},
    sign(key) {
      used.push(key);
      return new Uint8Array(64);
    },
  };
  const costs = new OperationCosts(counting);
  const keys = [2_048, 2_048, 3_072].map((bits) =>
    ({ info: { type: "rsa", bits }, handle: 0 }) as unknown as PrivateKey
  );
  const [first, second] = keys.map((key) => costs.of(key));
  assert.equal(first, second);
  assert.deepEqual(new Set(used), new Set([keys[0], keys[2]]));
  assert.ok(used.length > 20);
});
