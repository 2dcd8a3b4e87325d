/** What a signing thread runs: turns of all event loops, until it is told to stop. */
import process from "node:process";
import { workerData } from "node:worker_threads";
import { LibcryptoEngine } from "../crypto/libcrypto_engine.ts";
import { SCHEMES } from "../crypto/scheme.ts";
import { KeylessError, messageOf } from "../errors/errors.ts";
import { openLibcrypto } from "../runtime/libcrypto.ts";
import { lowerThreadPriority } from "../runtime/process.ts";
import { Signals, THREAD_STATE } from "./signals.ts";
import type { SigningMemory } from "./signing_memory.ts";
import { type TakenTurn, TurnTaker } from "./turn_taker.ts";
import { type ThreadReply, type ThreadRequest, Turns } from "./turns.ts";

/** What a signing thread is given. */
export interface SigningThreadData {
  readonly memory: SigningMemory;
  readonly place: number;
}

/**
 * Event loops go first, as they answer fast operations, and do not starve the thread: where both want
 * all of a core, Linux gives it half as much as them.
 */
const NICENESS = 3;

const { memory, place } = workerData as SigningThreadData;
const engine = new LibcryptoEngine(openLibcrypto());
lowerThreadPriority(NICENESS);
work();
process.exit(0); // of this thread alone

function work(): void {
  const signals = new Signals(memory);
  const turns = new Turns(memory);
  const taker = new TurnTaker(memory, place);
  while (!signals.isStopping) {
    const taken = taker.take() ?? takeIdly(signals, taker);
    if (taken === undefined) continue;
    const beganMs = performance.now();
    turns.carryOut(taken.turn, place, answer);
    taker.took(taken, performance.now() - beganMs);
    signals.ringLoop(taken.loop);
  }
}

/** Looks once more when loops can see that the thread is idle, then waits until one of them rings. */
function takeIdly(signals: Signals, taker: TurnTaker): TakenTurn | undefined {
  const bell = signals.threadBell(place);
  signals.setThread(place, THREAD_STATE.IDLE);
  const taken = taker.take();
  if (taken === undefined && !signals.isStopping) signals.waitForThreadBell(bell);
  signals.setThread(place, THREAD_STATE.BUSY);
  return taken;
}

function answer({ address, bits, scheme, bytes }: ThreadRequest): ThreadReply {
  const key = { info: { type: SCHEMES[scheme].keyType, bits }, handle: address };
  try {
    const made = scheme === "rsa-decrypt"
      ? engine.decrypt(key, bytes)
      : engine.sign(key, scheme, bytes);
    return { outcome: "made", bytes: made };
  } catch (thrown) {
    const isRefused = thrown instanceof KeylessError && thrown.code === "SIGN_REFUSED";
    return {
      outcome: isRefused ? "SIGN_REFUSED" : "SIGN_FAILED",
      bytes: new TextEncoder().encode(messageOf(thrown)),
    };
  }
}
