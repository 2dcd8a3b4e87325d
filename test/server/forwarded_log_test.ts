import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ForwardedLog } from "../../src/server/forwarded_log.ts";
import type { LoggedLine } from "../../src/server/thread_messages.ts";

/** More than may be ahead. */
const MANY = 5_000;

function start(): { log: ForwardedLog; posted: LoggedLine[]; taken: Int32Array } {
  const posted: LoggedLine[] = [];
  const taken = new Int32Array(new SharedArrayBuffer(4));
  return { log: new ForwardedLog((line) => posted.push(line), taken), posted, taken };
}

describe("a worker's log", () => {
  test("sends every line to the main thread as it is", () => {
    const { log, posted } = start();
    log.debug({ event: "a" }, "one");
    log.info({ event: "b" }, "two");
    log.warn({ event: "c" }, "three");
    log.error({ event: "d" }, "four");
    assert.deepEqual(posted, [
      { level: "debug", fields: { event: "a" }, message: "one" },
      { level: "info", fields: { event: "b" }, message: "two" },
      { level: "warn", fields: { event: "c" }, message: "three" },
      { level: "error", fields: { event: "d" }, message: "four" },
    ]);
  });

  test("never has more than so many lines on their way, and tells how many it dropped", () => {
    const { log, posted, taken } = start();
    for (let line = 0; line < MANY; line++) log.debug({ line }, "a request");
    const sent = posted.length;
    assert.ok(sent > 0 && sent < MANY, `${sent}`);
    Atomics.store(taken, 0, sent);
    log.debug({ line: MANY }, "a request");
    assert.deepEqual(posted.slice(sent).map(({ fields }) => fields), [
      { event: "log_dropped", count: MANY - sent },
      { line: MANY },
    ]);
  });

  test("drops nothing where the main thread keeps up, also when the count begins anew", () => {
    const { log, posted, taken } = start();
    for (let line = 0; line < MANY; line++) {
      log.debug({ line }, "a request");
      Atomics.add(taken, 0, 1);
    }
    assert.equal(posted.length, MANY);
  });
});
