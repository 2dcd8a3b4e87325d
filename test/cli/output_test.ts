import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { formatJson, formatTable, wantsColour } from "../../cli/output.ts";

describe("formatTable", () => {
  test("aligns columns under their headings, without borders", () => {
    const text = formatTable(["FILE", "SIZE"], [["a.key", "1"], ["long-name.key", "23"]]);
    assert.equal(text, "FILE           SIZE\na.key          1\nlong-name.key  23");
  });

  test("shows control characters of a cell escaped", () => {
    const text = formatTable(["NAME"], [["a\u001b[31m\nb"]]);
    assert.equal(text, "NAME\na\\u{1b}[31m\\u{a}b");
  });

  test("shows the headings alone where there are no rows", () => {
    assert.equal(formatTable(["A", "B"], []), "A  B");
  });
});

describe("formatJson", () => {
  test("gives the same JSON, without anything that moves a cursor", () => {
    fc.assert(fc.property(fc.jsonValue(), fc.string({ unit: "binary" }), (value, text) => {
      const json = formatJson({ value, text });
      assert.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify({ value, text })));
      assert.doesNotMatch(json, /[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
    }));
  });
});

describe("wantsColour", () => {
  for (
    const [isTTY, env, wanted] of [
      [true, {}, true],
      [true, { NO_COLOR: "" }, true],
      [true, { NO_COLOR: "1" }, false],
      [true, { TERM: "dumb" }, false],
      [true, { TERM: "xterm" }, true],
      [false, {}, false],
      [undefined, {}, false],
    ] as const
  ) {
    test(`is ${wanted} for isTTY ${isTTY} and ${JSON.stringify(env)}`, () => {
      assert.equal(wantsColour({ isTTY }, env), wanted);
    });
  }
});
