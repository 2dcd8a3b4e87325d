import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { PROTOCOL_PAGE, protocolPage } from "../../scripts/docs.ts";

test("docs/protocol.md is what the tables say: run `deno task docs` where this fails", () => {
  assert.equal(readFileSync(PROTOCOL_PAGE, "utf8"), protocolPage());
});
