import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { wrapLine } from "../../cli/wrap.ts";

describe("a line that is too long for a terminal", () => {
  const word = "x".repeat(30);

  test("is broken after a comma, or at a space", () => {
    assert.deepEqual(wrapLine(`${word} ${word}, and so on ${word}`), [
      `${word} ${word},`,
      `  and so on ${word}`,
    ]);
    assert.deepEqual(wrapLine(`${word} ${word} ${word}`), [`${word} ${word}`, `  ${word}`]);
    assert.deepEqual(wrapLine(`  a, ${word} ${word} ${word}`, "    "), [
      `  a, ${word} ${word}`,
      `    ${word}`,
    ]);
  });

  test("is one of more than 80 columns", () => {
    assert.equal(wrapLine(`${"x".repeat(40)} ${"y".repeat(39)}`).length, 1);
    assert.equal(wrapLine(`${"x".repeat(40)} ${"y".repeat(40)}`).length, 2);
  });

  test("keeps its words, whole and in their order, in lines that fit", () => {
    const text = fc.array(fc.string({ unit: fc.constantFrom(..."ab,( ") })).map((words) =>
      words.join(" ")
    );
    const long = fc.array(text, { maxLength: 40 }).map((parts) => parts.join(" "));
    fc.assert(fc.property(long, fc.constantFrom("", "  ", "    "), (line, indent) => {
      const lines = wrapLine(line, indent);
      const words = (text: string) => text.split(/ +/).filter((word) => word !== "");
      assert.deepEqual(lines.flatMap(words), words(line));
      for (const each of lines) assert.ok(each.length <= 80 || !each.trim().includes(" "), each);
    }));
  });
});
