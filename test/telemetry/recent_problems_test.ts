import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MAX_PROBLEMS, RecentProblems } from "../../src/telemetry/recent_problems.ts";
import { MemoryLog } from "../support/memory_log.ts";

describe("RecentProblems", () => {
  test("hands every line on, and keeps warnings and errors, the newest first", () => {
    const log = new MemoryLog();
    const problems = new RecentProblems(log);
    problems.debug({ event: "a" }, "debug");
    problems.info({ event: "b" }, "info");
    problems.warn({ event: "c", client: "edge", count: 2, left: undefined }, "warn");
    problems.error({ event: "d", reason: "disk full" }, "error");
    assert.deepEqual(log.lines.map(({ level, message }) => [level, message]), [
      ...["debug", "info", "warn", "error"].map((level) => [level, level]),
    ]);
    assert.deepEqual(
      problems.list().map(({ level, event, message, details }) => [level, event, message, details]),
      [
        ["error", "d", "error", ["reason: disk full"]],
        ["warn", "c", "warn", ["client: edge", "count: 2"]],
      ],
    );
    assert.ok(Math.abs(problems.list()[0]!.timeMs - Date.now()) < 10_000);
  });

  test("keeps the last few alone", () => {
    const problems = new RecentProblems(new MemoryLog());
    for (let i = 0; i < MAX_PROBLEMS + 5; i++) problems.warn({}, String(i));
    const kept = problems.list().map(({ message }) => Number(message));
    assert.deepEqual(kept, Array.from({ length: MAX_PROBLEMS }, (_, i) => MAX_PROBLEMS + 4 - i));
  });

  test("makes text printable and cuts it", () => {
    const problems = new RecentProblems(new MemoryLog());
    problems.error({ client: `\u001b[31m${"x".repeat(10_000)}` }, "\u202e".repeat(10_000));
    const [{ message, details } = { message: "", details: [] }] = problems.list();
    assert.equal(message.length, 512);
    assert.match(message, /^\\u\{202e\}/);
    assert.equal(details[0]?.length, 256);
    assert.match(details[0] ?? "", /^client: \\u\{1b\}\[31mx+…$/);
  });
});
