import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkNames, missing } from "../../../cli/hsm/checks.ts";
import type { TokenInfo } from "../../../src/hsm/module.ts";

const token = (label: string, ...names: readonly string[]) => ({
  token: { label } as TokenInfo,
  mechanisms: names.map((name) => ({ name, type: 0, minKeySize: 0, maxKeySize: 0, flags: 0 })),
});
const messages = (...args: Parameters<typeof missing>) =>
  missing(...args).map(({ code, message }) => {
    assert.equal(code, "CHECK_FAILED");
    return message;
  });

describe("missing", () => {
  test("finds nothing where nothing is required, or all is there", () => {
    assert.deepEqual(messages({}, []), []);
    const wanted = { requireToken: ["a"], requireMechanism: ["CKM_ECDSA"] };
    assert.deepEqual(messages(wanted, [token("a", "CKM_ECDSA"), token("b")]), []);
  });

  test("names each token that is missing, and those that are there, printable", () => {
    assert.deepEqual(messages({ requireToken: ["x", "a"] }, [token("a"), token("b\n")]), [
      'no token is labelled "x"; there is "a", "b\\u{a}"',
    ]);
    assert.deepEqual(messages({ requireToken: ["x"] }, []), [
      'no token is labelled "x"; there is none',
    ]);
  });

  test("wants mechanisms of every token where none is named", () => {
    assert.deepEqual(
      messages({ requireMechanism: ["CKM_ECDSA"] }, [token("a", "CKM_ECDSA"), token("b")]),
      ['the token "b" does not have the mechanism CKM_ECDSA'],
    );
  });

  test("fails where there is no token that could have a mechanism", () => {
    assert.deepEqual(messages({ requireMechanism: ["CKM_ECDSA"] }, []), [
      "no token is there to have the mechanism CKM_ECDSA",
    ]);
  });
});

describe("checkNames", () => {
  test("takes the names that hsm mechanisms prints", () => {
    checkNames({ requireMechanism: ["CKM_ECDSA", "CKM_VENDOR_DEFINED+0x1f", "0x210a"] });
  });
  for (const name of ["", "ecdsa", "ECDSA", "CKM_", "CKM_ECDSA ", "ckm_ecdsa", "CKM_\u001b[2J"]) {
    test(`refuses ${JSON.stringify(name)}`, () => {
      assert.throws(() => checkNames({ requireMechanism: [name] }), { code: "USAGE" });
    });
  }
});
