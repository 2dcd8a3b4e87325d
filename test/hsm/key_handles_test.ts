import assert from "node:assert/strict";
import { test } from "node:test";
import { toHandle } from "../../src/hsm/cryptoki.ts";
import { KeyHandles, MAX_KEYS } from "../../src/hsm/key_handles.ts";

test("a key's handle is what was bound last, in every thread", () => {
  const one = new KeyHandles();
  const other = new KeyHandles(one.memory);
  one.set(3, toHandle(2n ** 63n + 1n));
  assert.deepEqual(other.get(3), toHandle(2n ** 63n + 1n));
  one.set(3, toHandle(5n));
  assert.deepEqual(other.get(3), toHandle(5n));
  one.set(3, undefined);
  assert.equal(other.get(3), undefined);
});

test("a number without a key has no handle", () => {
  const handles = new KeyHandles();
  for (const number of [0, MAX_KEYS - 1, MAX_KEYS, -1]) {
    assert.equal(handles.get(number), undefined);
  }
});
