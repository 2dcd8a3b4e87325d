import assert from "node:assert/strict";
import { setImmediate, setTimeout } from "node:timers";
import { test } from "node:test";
import { Turns } from "../../src/status/turns.ts";

test("Turns gives each its own turn of the event loop, in order", async () => {
  const turns = new Turns();
  const order: string[] = [];
  await Promise.all(["a", "b", "c"].map(async (name) => {
    await turns.next();
    order.push(name);
    setImmediate(() => order.push("others"));
  }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(order.filter((name) => name !== "others"), ["a", "b", "c"]);
  assert.equal(order.indexOf("others") < order.indexOf("c"), true, order.join());
});
