import assert from "node:assert/strict";
import { test } from "node:test";
import type { Engine, PrivateKey } from "../../src/crypto/engine.ts";
import { LibcryptoEngine } from "../../src/crypto/libcrypto_engine.ts";
import { measureCost } from "../../src/crypto/measure_cost.ts";
import { openLibcrypto } from "../../src/runtime/libcrypto.ts";
import { type KeyKind, keyOf } from "../support/openssl.ts";

const engine = new LibcryptoEngine(openLibcrypto());

test("every kind of key has its cost, and RSA of 2048 bits costs more than P-256", () => {
  const found = new Map<KeyKind, number>();
  for (const kind of ["P-256", "P-384", "Ed25519", "RSA 2048"] as const) {
    const key = engine.load(keyOf(kind));
    found.set(kind, measureCost(engine, key));
    assert.ok(found.get(kind)! > 0, kind);
    engine.free(key);
  }
  assert.ok(found.get("RSA 2048")! > 3 * found.get("P-256")!);
});

test("the cost is that of a usual run, however long the first and the worst take", () => {
  const key: PrivateKey = { info: { type: "ec", bits: 256 }, handle: 0 };
  let runs = 0;
  const slowAtTimes = {
    sign() {
      if (runs++ % 10 > 0) return new Uint8Array(64);
      for (const startedMs = performance.now(); performance.now() - startedMs < 2;);
      return new Uint8Array(64);
    },
  } as unknown as Engine;
  assert.ok(measureCost(slowAtTimes, key) < 1);
  assert.equal(runs, 21);
});

test("a cost is known after a few runs where each takes long", () => {
  const key: PrivateKey = { info: { type: "rsa", bits: 16_384 }, handle: 0 };
  let runs = 0;
  const slow = {
    sign() {
      runs += 1;
      for (const startedMs = performance.now(); performance.now() - startedMs < 15;);
      return new Uint8Array(64);
    },
  } as unknown as Engine;
  assert.ok(measureCost(slow, key) >= 15);
  assert.ok(runs >= 2 && runs <= 4, `${runs} runs`);
});
