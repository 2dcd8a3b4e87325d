import assert from "node:assert/strict";
import { test } from "node:test";
import { OperationCosts } from "../../src/hsm/operation_costs.ts";

const EC = { shape: { type: "ec", bits: 256 }, scheme: "ecdsa-sha256" } as const;
const PKCS1 = { shape: { type: "rsa", bits: 2_048 }, scheme: "rsa-sha256" } as const;
const PSS = { shape: { type: "rsa", bits: 2_048 }, scheme: "rsa-pss-sha256" } as const;

test("an operation costs what the first one took", () => {
  const costs = new OperationCosts();
  costs.observe([EC, EC], 0.2);
  assert.equal(costs.of(EC), 0.1);
  assert.equal(costs.of({ ...EC, scheme: "ecdsa-sha384" }), 0.1, "the digest is no matter");
});

test("costs are those of the key's kind and of the mechanism", () => {
  const costs = new OperationCosts();
  costs.observe([EC], 0.1);
  costs.observe([PKCS1], 1);
  costs.observe([PSS], 2);
  assert.deepEqual([costs.of(EC), costs.of(PKCS1), costs.of(PSS)], [0.1, 1, 2]);
});

test("one slow answer changes little, many change all", () => {
  const costs = new OperationCosts();
  costs.observe([EC], 1);
  costs.observe([EC], 10);
  assert.ok(costs.of(EC) < 2);
  for (let n = 0; n < 50; n++) costs.observe([EC], 10);
  assert.ok(costs.of(EC) > 9);
});

test("the time of several kinds together is shared by what each costs", () => {
  const costs = new OperationCosts();
  costs.observe([EC], 0.1);
  costs.observe([PKCS1], 1);
  for (let n = 0; n < 100; n++) costs.observe([EC, PKCS1], 2.2);
  assert.ok(Math.abs(costs.of(EC) - 0.2) < 0.01, `${costs.of(EC)}`);
  assert.ok(Math.abs(costs.of(PKCS1) - 2) < 0.1, `${costs.of(PKCS1)}`);
});
