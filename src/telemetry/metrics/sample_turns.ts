import { setImmediate as nextTurn } from "node:timers/promises";

/** Gives the event loop its turns while many samples are worked on. */
export class SampleTurns {
  readonly #samplesATurn: number;
  #sinceTurn = 0;

  /** @param samplesATurn how many may be worked on between two turns */
  constructor(samplesATurn: number) {
    this.#samplesATurn = samplesATurn;
  }

  /** So many were worked on; to be awaited. */
  async after(samples: number): Promise<void> {
    this.#sinceTurn += samples;
    if (this.#sinceTurn < this.#samplesATurn) return;
    this.#sinceTurn = 0;
    await nextTurn();
  }
}
