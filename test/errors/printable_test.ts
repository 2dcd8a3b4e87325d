import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MAX_PRINTABLE_LENGTH, printable } from "../../src/errors/printable.ts";

const SHOWN: readonly [string, string, string][] = [
  ["plain text and accents stay", "héllo wörld 例え.テスト", "héllo wörld 例え.テスト"],
  ["a line feed is spelt out", "a\nlevel=error", "a\\u{a}level=error"],
  ["an escape sequence is spelt out", "\u001b[2J", "\\u{1b}[2J"],
  ["a C1 control is spelt out", "a\u009b31m", "a\\u{9b}31m"],
  ["a mark that turns text around is spelt out", "a\u202egnp.exe", "a\\u{202e}gnp.exe"],
  ["a line separator is spelt out", "a\u2028b", "a\\u{2028}b"],
  ["half a surrogate pair is replaced", "a\ud800b", "a\ufffdb"],
];

for (const [name, text, expected] of SHOWN) {
  test(name, () => assert.equal(printable(text), expected));
}

test("text up to the limit stays whole, beyond it is cut and says so", () => {
  assert.equal(printable("x".repeat(MAX_PRINTABLE_LENGTH)), "x".repeat(MAX_PRINTABLE_LENGTH));
  assert.equal(
    printable("x".repeat(MAX_PRINTABLE_LENGTH + 1)),
    `${"x".repeat(MAX_PRINTABLE_LENGTH - 1)}…`,
  );
});

test("what is shown keeps to the limit, however much is spelt out", () => {
  assert.equal(printable("\n".repeat(100), 20).length, 20);
  assert.equal(printable("\n\n\n\n", 20), "\\u{a}".repeat(4));
});

test("no text whatever keeps a control character, and showing twice changes nothing", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const shown = printable(text, 10_000);
    assert.doesNotMatch(shown, /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
    assert.equal(printable(shown, 100_000), shown);
  }));
});
