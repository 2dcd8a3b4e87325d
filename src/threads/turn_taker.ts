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
 * its loop on by the time that it took, divided by how many connections of the loop wait, and the
 * loop that has come least far is next. So connections have equal shares, however they are spread
 * over the loops, and turns of loops alternate: none waits for all connections of another.
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

  /** Makes a READY turn TAKEN; undefined where there is none. `took` is to be told before the next. */
  take(): TakenTurn | undefined {
    for (const share of this.#order) {
      const turn = this.#takeOf(share);
      if (turn === undefined) continue;
      this.#reached = Math.max(this.#reached, share.pass);
      return { turn, loop: share.loop };
    }
    return undefined;
  }

  /**
   * How long the turn took. A loop that had nothing to sign for a while starts where the others are:
   * it saves nothing up.
   */
  took({ loop }: TakenTurn, durationMs: number): void {
    const order = this.#order;
    const [share] = order.splice(order.findIndex((each) => each.loop === loop), 1);
    share!.pass = this.#reached + durationMs / Math.max(1, share!.counters.own("connections"));
    const next = order.findIndex(({ pass }) => pass > share!.pass);
    order.splice(next < 0 ? order.length : next, 0, share!);
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
}

interface Share {
  readonly loop: number;
  readonly counters: SharedCounters<SigningCounter>;
  /** How far it has come, in milliseconds of each connection. */
  pass: number;
}
