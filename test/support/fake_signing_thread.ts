import { setImmediate as nextTurn } from "node:timers/promises";
import { Signals, THREAD_STATE } from "../../src/threads/signals.ts";
import type { SigningMemory } from "../../src/threads/signing_memory.ts";
import { type TakenTurn, TurnTaker } from "../../src/threads/turn_taker.ts";
import { type ThreadReply, type ThreadRequest, TURN, Turns } from "../../src/threads/turns.ts";

/** A signing thread that the test plays itself, in its own thread: a request takes it a millisecond. */
export class FakeSigningThread {
  readonly #place: number;
  readonly #signals: Signals;
  readonly #turns: Turns;
  readonly #taker: TurnTaker;
  /** Taken, not answered; the oldest first. */
  readonly taken: TakenTurn[] = [];

  constructor(memory: SigningMemory, place = 0) {
    this.#place = place;
    this.#signals = new Signals(memory);
    this.#turns = new Turns(memory);
    this.#taker = new TurnTaker(memory, place);
    this.#signals.setThread(place, THREAD_STATE.IDLE);
    this.#signals.ringLoops();
  }

  /** Whether it got one. */
  take(): boolean {
    const taken = this.#taker.take();
    if (taken !== undefined) this.taken.push(taken);
    return taken !== undefined;
  }

  /** Takes a turn, as soon as there is one. */
  async takeNext(): Promise<void> {
    while (!this.take()) await nextTurn();
  }

  /** Answers the oldest turn that it has taken. @returns the first byte of each of its requests */
  answer(reply: (request: ThreadRequest) => ThreadReply = made): number[] {
    const taken = this.taken.shift()!;
    const marks: number[] = [];
    this.#turns.carryOut(taken.turn, this.#place, (request) => {
      marks.push(request.bytes[0]!);
      return reply(request);
    });
    this.#taker.took(taken, marks.length);
    this.#signals.ringLoop(taken.loop);
    return marks;
  }

  /** Ends with what it has taken, as `SigningThreads` sees to it. */
  die(): void {
    this.taken.length = 0;
    this.#signals.setThread(this.#place, THREAD_STATE.ABSENT);
    this.#turns.lose(this.#place);
    this.#signals.ringLoops();
  }
}

/** How many turns of a loop are in each state. */
export function turnStates(memory: SigningMemory, loop = 0): Record<keyof typeof TURN, number> {
  const turns = new Turns(memory);
  const counts = { FREE: 0, READY: 0, DONE: 0, LOST: 0, TAKEN: 0 };
  const names = Object.keys(TURN) as (keyof typeof TURN)[];
  for (let turn = loop * turns.each; turn < (loop + 1) * turns.each; turn++) {
    counts[names[Math.min(turns.state(turn), TURN.TAKEN)]!] += 1;
  }
  return counts;
}

const made = ({ bytes }: ThreadRequest): ThreadReply => ({ outcome: "made", bytes });
