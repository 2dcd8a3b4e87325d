import assert from "node:assert/strict";
import { test } from "node:test";
import { boundedDestination } from "../../cli/log_destination.ts";

test("lines are dropped while nobody reads, and their number is told afterwards", () => {
  const written: string[] = [];
  const stream = { writableLength: 0, write: (text: string) => written.push(text) };
  const destination = boundedDestination(stream);
  destination.write("first\n");
  stream.writableLength = 1_048_577;
  destination.write("lost\n");
  destination.write("lost too\n");
  stream.writableLength = 1_048_576;
  destination.write("last\n");
  assert.equal(written.length, 3);
  assert.equal(JSON.parse(written[1] ?? "").count, 2);
  assert.deepEqual([written[0], written[2]], ["first\n", "last\n"]);
});
