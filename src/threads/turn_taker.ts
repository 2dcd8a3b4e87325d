import { SharedCounters } from "./shared_counters.ts";
import { SIGNING_COUNTERS, type SigningCounter, type SigningMemory } from "./signing_memory.ts";
import { TURN, Turns } from "./turns.ts";

export interface TakenTurn {
  readonly turn: number;
  /** Whose it is. */
  readonly loop: number;
}

/**
 * A signing thread's choice among the turns of all event loops, by stride scheduling: a turn moves
 * its loop on by one part in as many as the loop has connections that wait, and the loop that has
 * come least far is next. So connections have equal shares, however they are spread over the loops,
 * and turns of loops alternate: none waits for all connections of another.
 */
export class TurnTaker {
  readonly #place: number;
  readonly #turns: Turns;
  /** The least far first; of those that are equally far, who has waited longest. */
  readonly #order: Share[];
  /** How far the loop had come that was the last to have a turn. */
  #reached = 0;

  /** @param place the thread's */
  constructor(memory: SigningMemory, place: number) {
    this.#place = place;
    this.#turns = new Turns(memory);
    this.#order = Array.from({ length: memory.loops }, (_, index) => {
      const loop = (place + index) % memory.loops; // not all at the same
      const counters = new SharedCounters(SIGNING_COUNTERS, memory.counters, loop);
      return { loop, counters, pass: 0 };
    });
  }

  /** Makes a READY turn TAKEN; undefined where there is none. */
  take(): TakenTurn | undefined {
    for (const [index, share] of this.#order.entries()) {
      const turn = this.#takeOf(share);
      if (turn === undefined) continue;
      this.#moveOn(index, share);
      return { turn, loop: share.loop };
    }
    return undefined;
  }

  #takeOf({ loop, counters }: Share): number | undefined {
    if (counters.own("turns") === 0) return undefined;
    for (;;) {
      const turn = this.#turns.next(loop);
      if (turn === undefined || this.#turns.change(turn, TURN.READY, TURN.TAKEN + this.#place)) {
        return turn;
      }
    }
  }

  /** A loop that had nothing to sign for a while starts where the others are: it saves nothing up. */
  #moveOn(index: number, share: Share): void {
    this.#reached = Math.max(this.#reached, share.pass);
    share.pass = this.#reached + 1 / Math.max(1, share.counters.own("connections"));
    const order = this.#order;
    order.splice(index, 1);
    const next = order.findIndex(({ pass }) => pass > share.pass);
    order.splice(next < 0 ? order.length : next, 0, share);
  }
}

interface Share {
  readonly loop: number;
  readonly counters: SharedCounters<SigningCounter>;
  /** How far it has come. */
  pass: number;
}
