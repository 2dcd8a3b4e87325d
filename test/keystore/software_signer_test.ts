import assert from "node:assert/strict";
import { test } from "node:test";
import type { Engine, PrivateKey } from "../../src/crypto/engine.ts";
import { OperationCosts } from "../../src/crypto/operation_cost.ts";
import { type Elsewhere, SoftwareSigner } from "../../src/keystore/software_signer.ts";
import { contextOf } from "../support/request_context.ts";

const KEY = { info: { type: "rsa", bits: 2_048 }, handle: 1 } as unknown as PrivateKey;
const DIGEST = new Uint8Array(32);

/** A signer that was moved, and what it asks for; `freed` counts. */
function movedSigner() {
  const asked: PromiseWithResolvers<Uint8Array>[] = [];
  const engine = {
    freed: 0,
    sign: () => new Uint8Array(1),
    free() {
      this.freed += 1;
    },
  };
  const place: Elsewhere = {
    sign() {
      asked.push(Promise.withResolvers<Uint8Array>());
      return asked.at(-1)!.promise;
    },
  };
  const signer = new SoftwareSigner(engine as unknown as Engine, KEY);
  const costs = new OperationCosts(engine as unknown as Engine);
  assert.equal(signer.moveSlow(place, costs, 1_000_000), false);
  assert.deepEqual(signer.sign("rsa-sha256", DIGEST, contextOf()), new Uint8Array(1));
  assert.equal(signer.moveSlow(place, costs, -1), true);
  return { signer, asked, engine };
}

test("a key is given back when the last operation that was begun elsewhere is over", async () => {
  const { signer, asked, engine } = movedSigner();
  const signed = signer.sign("rsa-sha256", DIGEST, contextOf());
  const decrypted = signer.decrypt(new Uint8Array(256), contextOf());
  signer.free();
  asked[0]!.resolve(DIGEST);
  assert.deepEqual(await signed, DIGEST);
  assert.equal(engine.freed, 0);
  assert.throws(() => signer.sign("rsa-sha256", DIGEST, contextOf()), { code: "SIGN_FAILED" });
  asked[1]!.reject(new Error("failed"));
  await assert.rejects(Promise.resolve(decrypted), /failed/);
  assert.equal(engine.freed, 1);
  signer.free();
  assert.equal(engine.freed, 1);
});

test("a key that nothing uses is given back at once", () => {
  const { signer, engine } = movedSigner();
  signer.free();
  assert.equal(engine.freed, 1);
});
