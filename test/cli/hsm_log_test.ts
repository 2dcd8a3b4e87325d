import assert from "node:assert/strict";
import { test } from "node:test";
import { hsmLog } from "../../cli/hsm_log.ts";
import { MemoryLog } from "../support/memory_log.ts";

test("what a module prints without end does not fill the log, nor hides another module", () => {
  const log = new MemoryLog();
  const observer = hsmLog(log);
  for (let line = 0; line < 1_000; line++) observer.output("/lib/loud.so", `line ${line}`);
  observer.output("/lib/quiet.so", "hello");
  assert.equal(log.lines.length, 11);
  assert.deepEqual(log.lines.at(0)?.fields, {
    event: "hsm_output",
    module: "/lib/loud.so",
    line: "line 0",
  });
  assert.equal(log.lines.at(-1)?.fields["line"], "hello");
});
