import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ModuleOutput } from "../../src/hsm/module_output.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

/** The lines of a module that prints these chunks on one of its streams, and then ends. */
function linesOf(
  chunks: readonly (string | Uint8Array)[],
  ...secrets: readonly string[]
): string[] {
  const lines: string[] = [];
  const output = new ModuleOutput((line) => lines.push(line));
  for (const secret of secrets) output.hide(utf8(secret));
  const read = output.reader();
  for (const chunk of chunks) read(typeof chunk === "string" ? utf8(chunk) : chunk);
  read();
  return lines;
}

describe("what a module prints", () => {
  test("is told by lines, wherever it was cut, and without blank ones", () => {
    assert.deepEqual(linesOf(["on", "e\n\n \ntw", "o\nthree"]), ["one", "two", "three"]);
    const [first, second] = [utf8("ä\n").subarray(0, 1), utf8("ä\n").subarray(1)];
    assert.deepEqual(linesOf([first, second]), ["ä"]);
  });

  test("is printable", () => {
    assert.deepEqual(linesOf(["\u001b[2J\n", Uint8Array.of(0xff, 0x0a)]), ["\\u{1b}[2J", "\ufffd"]);
  });

  test("is bounded, with and without ends of lines", () => {
    const [long, next, ...others] = linesOf([..."x".repeat(3_000), "\nnext"]);
    assert.equal(long?.length, 1_024);
    assert.equal(next, "next");
    assert.deepEqual(others, []);
  });

  test("by two streams is not mixed", () => {
    const lines: string[] = [];
    const output = new ModuleOutput((line) => lines.push(line));
    const [one, other] = [output.reader(), output.reader()];
    one(utf8("a"));
    other(utf8("b\n"));
    one(utf8("c\n"));
    assert.deepEqual(lines, ["b", "ac"]);
  });
});

describe("a line that shows a PIN is left out", () => {
  const PIN = "correct horse battery";
  const LEFT_OUT = "(a line that shows the PIN is left out)";
  const SHOWN = [
    `pPin = ${PIN}`,
    "pPin = 'orse batt'",
    "00000000  63 6F 72 72 65 63 74 20  68 6F 72 73 65 20 62 61  |correct horse ba|",
    "00000010  74 74 65 72 79",
    "636f7272656374",
    "0x63, 0x6f, 0x72, 0x72, 0x65, 0x63",
    "f63:6f:72:72:65:63",
  ];
  for (const line of SHOWN) {
    test(line, () => {
      const told = linesOf([`before\n${line}\nafter\n`], "another", PIN);
      assert.deepEqual(told, ["before", LEFT_OUT, "after"]);
    });
  }

  test("also where it was cut in the middle of it", () => {
    assert.deepEqual(linesOf(["pin 12", "34\n"], "1234"), [LEFT_OUT]);
  });
});
