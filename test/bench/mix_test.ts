import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { MAX_WEIGHT, mixOrder, OPERATION_NAMES, parseMix } from "../../src/bench/mix.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { OPCODES } from "../../src/protocol/opcodes.ts";

describe("parseMix", () => {
  test("knows ping, and every opcode that signs or decrypts", () => {
    const count = OPCODES.filter(({ kind }) => kind === "sign" || kind === "decrypt").length;
    assert.equal(OPERATION_NAMES.length, count + 1);
    for (const name of OPERATION_NAMES) assert.deepEqual(parseMix(name), [{ name, weight: 1 }]);
  });

  test("reads weights", () => {
    assert.deepEqual(parseMix("ecdsa-sha256:9,rsa-sha256:1,ping"), [
      { name: "ecdsa-sha256", weight: 9 },
      { name: "rsa-sha256", weight: 1 },
      { name: "ping", weight: 1 },
    ]);
    assert.deepEqual(parseMix(`ping:${MAX_WEIGHT}`), [{ name: "ping", weight: MAX_WEIGHT }]);
  });

  const refused: readonly [text: string, message: RegExp][] = [
    ["", /^--op: "" is no operation; give some of ping, rsa-decrypt, /],
    ["sign", /^--op: "sign" is no operation; /],
    ["\u001b[31m", /^--op: "\\u\{1b\}\[31m" is no operation; /],
    ["ping,", /^--op: "" is no operation; /],
    ["ping, ecdsa-sha256", /^--op: " ecdsa-sha256" is no operation; /],
    ["ping:0", /^--op: the weight of ping is "0"; give a whole number from 1 to 1000$/],
    [`ping:${MAX_WEIGHT + 1}`, /^--op: the weight of ping is "1001"; /],
    ["ping:", /^--op: the weight of ping is ""; /],
    ["ping:1.5", /^--op: the weight of ping is "1.5"; /],
    ["ping:1:2", /^--op: the weight of ping is "1:2"; /],
    ["ping:2,ed25519,ping", /^--op names ping twice; give it one weight$/],
  ];
  for (const [text, message] of refused) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseMix(text), { code: "USAGE", message });
    });
  }

  test("any text gives a mix, or a KeylessError", () => {
    const part = fc.oneof(fc.constantFrom(...OPERATION_NAMES), fc.string());
    const entry = fc.tuple(part, fc.constantFrom("", ":"), fc.oneof(fc.nat(), fc.string()));
    const text = fc.array(entry.map((words) => words.join("")), { maxLength: 4 });
    fc.assert(fc.property(text, (entries) => {
      try {
        assert.ok(parseMix(entries.join(",")).length > 0);
      } catch (thrown) {
        assert.ok(thrown instanceof KeylessError);
        assert.equal(thrown.code, "USAGE");
      }
    }));
  });

  test("what is written as a mix is read as it was", () => {
    const weight = fc.integer({ min: 1, max: MAX_WEIGHT });
    const entry = fc.tuple(fc.constantFrom(...OPERATION_NAMES), weight)
      .map(([name, weight]) => ({ name, weight }));
    const weights = fc.uniqueArray(entry, { minLength: 1, selector: ({ name }) => name });
    fc.assert(fc.property(weights, (mix) => {
      const text = mix.map(({ name, weight }) => `${name}:${weight}`).join(",");
      assert.deepEqual(parseMix(text), mix);
    }));
  });
});

describe("mixOrder", () => {
  test("spreads the weights evenly, and always alike", () => {
    const mix = parseMix("ecdsa-sha256:6,rsa-sha256:2,ping:2");
    assert.deepEqual(mixOrder(mix), [0, 1, 0, 2, 0]);
    assert.deepEqual(mixOrder(parseMix("ping:7")), [0]);
  });

  test("gives each operation its share of a round, and of every part of it within one", () => {
    const weight = fc.integer({ min: 1, max: 20 });
    fc.assert(fc.property(fc.array(weight, { minLength: 1, maxLength: 5 }), (weights) => {
      const order = mixOrder(weights.map((each, at) => ({
        name: OPERATION_NAMES[at]!,
        weight: each,
      })));
      const total = weights.reduce((sum, each) => sum + each, 0);
      assert.equal(total % order.length, 0);
      const counts = weights.map(() => 0);
      for (const [position, at] of order.entries()) {
        counts[at]!++;
        for (const [index, each] of weights.entries()) {
          const due = (position + 1) * each / total;
          assert.ok(Math.abs(counts[index]! - due) < weights.length, "it is far from its share");
        }
      }
      const rounds = total / order.length;
      assert.deepEqual(counts.map((count) => count * rounds), weights);
    }));
  });
});
