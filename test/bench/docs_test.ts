import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { z } from "zod";
import { BENCH_SCHEMA_FILE, benchSchema } from "../../scripts/docs.ts";
import { makeResult, microsecondsTo } from "../support/bench_result.ts";

test("docs/bench-schema.json is what the table says: run `deno task docs` where this fails", () => {
  assert.equal(readFileSync(BENCH_SCHEMA_FILE, "utf8"), benchSchema());
});

test("the published schema takes results with the frame of a document, and refuses others", () => {
  const schema = z.fromJSONSchema(JSON.parse(benchSchema()));
  const open = makeResult([{ latencies: microsecondsTo(9), serviceTimes: microsecondsTo(9) }]);
  for (const result of [makeResult(), open]) {
    schema.parse({ version: 1, ...result, warnings: [], problems: [] });
  }
  const { totals: _, ...cut } = makeResult();
  const others = [{}, cut, { ...open, schema: "keyless-bench/2" }, { ...open, elapsedMs: -1 }];
  for (const other of others) assert.equal(schema.safeParse(other).success, false);
});
