import assert from "node:assert/strict";
import { test } from "node:test";
import type { KeyQuery, Keystore, RequestContext, Signer } from "../../src/keystore/keystore.ts";
import { Keystores } from "../../src/keystore/keystores.ts";

const CONTEXT = {} as RequestContext;

function storeOf(name: string, ski: number): Keystore & { readonly signer: Signer } {
  const signer = { name } as unknown as Signer;
  return { signer, find: (query: KeyQuery) => query.ski?.[0] === ski ? signer : undefined };
}

test("a key is that of the first store which has it", () => {
  const [a, b, c] = [storeOf("a", 1), storeOf("b", 2), storeOf("c", 1)];
  const stores = new Keystores([a, b, c]);
  assert.equal(stores.find({ ski: Uint8Array.of(1) }, CONTEXT), a.signer);
  assert.equal(stores.find({ ski: Uint8Array.of(2) }, CONTEXT), b.signer);
  assert.equal(stores.find({ ski: Uint8Array.of(3) }, CONTEXT), undefined);
});

test("the last store may answer later", async () => {
  const later = { find: () => Promise.resolve(undefined) };
  const stores = new Keystores([storeOf("a", 1), later]);
  assert.equal(await stores.find({ ski: Uint8Array.of(9) }, CONTEXT), undefined);
});
