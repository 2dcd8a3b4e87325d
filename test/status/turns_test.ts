import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { test } from "node:test";
import { Turns } from "../../src/status/turns.ts";

test("Turns gives each its own turn of the event loop, in order", async () => {
  const turns = new Turns();
  const taken: { readonly name: string; readonly turn: number }[] = [];
  let turn = 0;
  const count = () => {
    turn += 1;
    if (taken.length < 3) setImmediate(count);
  };
  setImmediate(count);
  await Promise.all(["a", "b", "c"].map(async (name) => {
    await turns.next();
    taken.push({ name, turn });
  }));
  assert.deepEqual(taken.map(({ name }) => name), ["a", "b", "c"]);
  assert.equal(new Set(taken.map((each) => each.turn)).size, 3, JSON.stringify(taken));
});
