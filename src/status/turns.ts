import { afterOthers } from "../runtime/turn.ts";

/** Gives those who wait one turn of the event loop each, in their order. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  next(): Promise<void> {
    this.#last = this.#last.then(() => new Promise((resolve) => afterOthers(resolve)));
    return this.#last;
  }
}
