import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { createProgress } from "../../cli/progress.ts";

describe("progress", () => {
  let now = 0;
  beforeEach(() => {
    now = 0;
    mock.method(performance, "now", () => now);
  });
  afterEach(() => mock.restoreAll());

  function record(isTTY: boolean): { isTTY: boolean; text: string; write(text: string): void } {
    return {
      isTTY,
      text: "",
      write(text) {
        this.text += text;
      },
    };
  }

  test("is shown on a terminal in one line, once the work takes a while, and taken away", () => {
    const stream = record(true);
    const progress = createProgress("loading keys:", stream);
    now = 199;
    progress.show(1, 30);
    assert.deepEqual([stream.text], [""]);
    now = 200;
    progress.show(10, 30);
    progress.show(20, 30);
    progress.clear();
    progress.clear();
    const shown = "\rloading keys: 10 of 30\u001b[K\rloading keys: 20 of 30\u001b[K\r\u001b[K";
    assert.deepEqual([stream.text], [shown]);
  });

  test("writes nothing where there is no terminal, and clears nothing that was not shown", () => {
    const piped = record(false);
    const quick = record(true);
    for (const stream of [piped, quick]) {
      const progress = createProgress("loading keys:", stream);
      if (stream === piped) now += 1_000;
      progress.show(1, 2);
      progress.clear();
      assert.equal(stream.text, "");
    }
  });
});
