import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { requestIdOf } from "../../src/protocol/request_context.ts";

const encode = (text: string) => new TextEncoder().encode(text);

describe("requestIdOf", () => {
  test("gives a text that is not empty, or nothing, for any bytes", () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map(encode),
      fc.tuple(fc.json(), fc.nat(40)).map(([json, length]) => encode(json).subarray(0, length)),
    );
    fc.assert(fc.property(anything, (context) => {
      const id = requestIdOf(context);
      assert.ok(id === undefined || (typeof id === "string" && id !== ""));
    }));
  });

  test("gives the id of a JSON object that has one, whatever else the object holds", () => {
    const others = fc.dictionary(fc.string(), fc.jsonValue());
    const text = fc.string({ unit: "binary", minLength: 1 });
    fc.assert(fc.property(others, text, (fields, id) => {
      assert.equal(requestIdOf(encode(JSON.stringify({ ...fields, request_id: id }))), id);
    }));
  });

  test("gives nothing for JSON of another shape", () => {
    const nothing = ["", "null", "5", '"request_id"', "[]", "{}", '{"request_id":""}'];
    const wrong = ["null", "5", "true", "[]", '["a"]', '{"request_id":"a"}'];
    for (const json of [...nothing, ...wrong.map((value) => `{"request_id":${value}}`)]) {
      assert.equal(requestIdOf(encode(json)), undefined, json);
    }
    assert.equal(requestIdOf(undefined), undefined);
  });
});
