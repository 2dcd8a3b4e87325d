import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { Asker } from "../../src/threads/questions.ts";
import type { ObedientAnswers } from "../support/obedient_worker.ts";

function startWorker(): Worker {
  return new Worker(new URL("../support/obedient_worker.ts", import.meta.url));
}

describe("a thread that is asked", () => {
  let worker: Worker;
  let asker: Asker<ObedientAnswers>;
  before(() => {
    worker = startWorker();
    asker = new Asker(worker);
  });
  after(async () => void await worker.terminate());

  test("answers each question, in whatever order the answers are ready", async () => {
    const late = asker.ask("later", "later");
    const numbers = Array.from({ length: 50 }, (_, number) => asker.ask("double", number));
    assert.deepEqual(await Promise.all(numbers), numbers.map((_, number) => number * 2));
    assert.equal(await late, "later");
  });

  test("passes on why it cannot answer, and lives", async () => {
    await assert.rejects(asker.ask("fail", "no such thing"), { message: "no such thing" });
    assert.equal(await asker.ask("double", 1), 2);
  });

  test("says so where its answer cannot be sent, and lives", async () => {
    await assert.rejects(asker.ask("unsendable", undefined), /clone/i);
    assert.equal(await asker.ask("double", 2), 4);
  });

  test("is not waited for longer than it may take", async () => {
    const startedMs = performance.now();
    await assert.rejects(asker.ask("never", undefined, 50), {
      message: "the thread did not answer within 0.05 s",
    });
    assert.ok(performance.now() - startedMs >= 45);
  });

  test("is waited for, for as long as a timer can last", async () => {
    assert.equal(await asker.ask("later", "in time", 2 ** 31 + 2_000), "in time");
    assert.equal(await asker.ask("later", "in time", 1e300), "in time");
  });

  test("is not sent what cannot be", async () => {
    const asked = (() => {}) as unknown as number;
    await assert.rejects(asker.ask("double", asked), /clone/i);
  });

  test("may say other things on the same channel", async () => {
    worker.postMessage(null);
    worker.postMessage("nothing");
    worker.postMessage({ other: 1 });
    assert.equal(await asker.ask("double", 3), 6);
  });
});

test("questions to a thread that has ended are refused, those that wait and those to come", async () => {
  const worker = startWorker();
  const asker = new Asker<ObedientAnswers>(worker);
  worker.on("exit", () => asker.end());
  const waiting = asker.ask("never", undefined);
  asker.ask("exit", undefined).catch(() => {}); // it ends instead
  await assert.rejects(waiting, { message: "the thread has ended" });
  await assert.rejects(asker.ask("double", 1), { message: "the thread has ended" });
});
