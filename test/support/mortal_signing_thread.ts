/** What a signing thread runs that dies with the first turn in its hands. */
import { workerData } from "node:worker_threads";
import { Signals, THREAD_STATE } from "../../src/threads/signals.ts";
import type { SigningThreadData } from "../../src/threads/signing_thread.ts";
import { TurnTaker } from "../../src/threads/turn_taker.ts";

const { memory, place } = workerData as SigningThreadData;
const signals = new Signals(memory);
const taker = new TurnTaker(memory, place);
while (taker.take() === undefined) {
  const bell = signals.threadBell(place);
  signals.setThread(place, THREAD_STATE.IDLE);
  if (taker.take() !== undefined) break;
  signals.waitForThreadBell(bell);
}
throw new Error("out of luck");
