import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FormatError, KeylessError, messageOf } from "../../src/errors/errors.ts";
import { ERRORS, EXIT, EXIT_MEANINGS } from "../../src/errors/table.ts";

describe("KeylessError", () => {
  test("carries its code, its message, its cause and the exit code of the table", () => {
    const cause = new Error("below");
    const error = new KeylessError("CONNECT", "keys.example: refused", { cause });
    assert.ok(error instanceof Error);
    assert.equal(error.code, "CONNECT");
    assert.equal(error.message, "keys.example: refused");
    assert.equal(error.cause, cause);
    assert.equal(error.exitCode, EXIT.CANNOT_CONNECT);
    assert.equal(String(error), "KeylessError: keys.example: refused");
  });

  test("FormatError is one too, by a name of its own", () => {
    const error = new FormatError("SHORT", "2 bytes wanted");
    assert.ok(error instanceof KeylessError);
    assert.equal(String(error), "FormatError: 2 bytes wanted");
    assert.equal(error.exitCode, EXIT.SERVER_ERROR);
  });
});

describe("messageOf", () => {
  test("gives the message of an error, and the text of anything else", () => {
    assert.equal(messageOf(new TypeError("no")), "no");
    assert.equal(messageOf("plain"), "plain");
    assert.equal(messageOf(undefined), "undefined");
    assert.equal(messageOf(Symbol("s")), "Symbol(s)");
    assert.equal(messageOf(null), "null");
  });
});

describe("the table of errors", () => {
  test("names every code in capitals, with a meaning of its own and an exit code that says no", () => {
    const meanings = Object.values(ERRORS).map((row) => row.meaning);
    assert.deepEqual(meanings, [...new Set(meanings)]);
    for (const [code, row] of Object.entries(ERRORS)) {
      assert.match(code, /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/);
      assert.notEqual(row.exit as number, EXIT.OK);
      assert.ok(row.exit in EXIT_MEANINGS);
      assert.doesNotMatch(row.meaning, /^[A-Z]|[.|\n]$/, `${code}: a phrase, not a sentence`);
    }
  });
});
