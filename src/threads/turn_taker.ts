import { SharedCounters } from "./shared_counters.ts";
import { SIGNING_COUNTERS, type SigningMemory } from "./signing_memory.ts";
import { TURN, Turns } from "./turns.ts";

export interface TakenTurn {
  readonly turn: number;
  /** Whose it is. */
  readonly loop: number;
}

/**
 * A signing thread's choice among the turns of all event loops: as many of one loop in a row as it
 * has connections that wait, then the next loop's. So connections have equal shares, however they are
 * spread over the loops.
 */
export class TurnTaker {
  readonly #place: number;
  readonly #turns: Turns;
  readonly #loops: readonly SharedCounters<(typeof SIGNING_COUNTERS)[number]>[];
  #loop: number;
  #left = 0;

  /** @param place the thread's */
  constructor(memory: SigningMemory, place: number) {
    this.#place = place;
    this.#turns = new Turns(memory);
    this.#loops = Array.from(
      { length: memory.loops },
      (_, loop) => new SharedCounters(SIGNING_COUNTERS, memory.counters, loop),
    );
    this.#loop = place % memory.loops; // not all at the same
  }

  /** Makes a READY turn TAKEN; undefined where there is none. */
  take(): TakenTurn | undefined {
    for (let passed = 0; passed <= this.#loops.length; passed++) {
      const turn = this.#left > 0 ? this.#takeOf(this.#loop) : undefined;
      if (turn !== undefined) {
        this.#left -= 1;
        return { turn, loop: this.#loop };
      }
      this.#loop = (this.#loop + 1) % this.#loops.length;
      this.#left = Math.max(1, this.#loops[this.#loop]!.own("connections"));
    }
    return undefined;
  }

  #takeOf(loop: number): number | undefined {
    if (this.#loops[loop]!.own("turns") === 0) return undefined;
    for (;;) {
      const turn = this.#turns.next(loop);
      if (turn === undefined || this.#turns.change(turn, TURN.READY, TURN.TAKEN + this.#place)) {
        return turn;
      }
    }
  }
}
