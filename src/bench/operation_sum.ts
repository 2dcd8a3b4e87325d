import { wireErrorText } from "../protocol/errors.ts";
import { addPairs, createHistogram, encodeHistogram } from "./histogram.ts";
import type { OperationTally, Phase } from "./messages.ts";
import type { BenchOperationResult } from "./result.ts";

/** What all threads have seen of one operation. */
export class OperationSum {
  #sent = 0;
  #arrived = 0;
  #answered = 0;
  #lost = 0;
  #dropped = 0;
  readonly #latency = createHistogram();
  readonly #service = createHistogram();
  readonly #errors = new Map<number, number>();

  add(phase: Phase, tally: OperationTally): void {
    const { sent, arrived, answered, lost, dropped, errors, latencyNs, serviceNs } = tally;
    this.#sent += sent;
    if (phase === "measure") this.#arrived += arrived;
    this.#answered += answered;
    this.#lost += lost;
    this.#dropped += dropped;
    addPairs(this.#latency, latencyNs);
    addPairs(this.#service, serviceNs);
    for (const [wireCode, count] of errors) {
      this.#errors.set(wireCode, (this.#errors.get(wireCode) ?? 0) + count);
    }
  }

  /** @param wrong answers that were verified, and are wrong; the threads count them as answers */
  result(
    name: string,
    wrong: number,
    isOpen: boolean,
    perSecond: (count: number) => number,
  ): BenchOperationResult {
    const answered = this.#answered - wrong;
    const errors = [...this.#errors].sort(([a], [b]) => a - b);
    return {
      name,
      sent: this.#sent,
      answered,
      wrong,
      errors: errors.map(([wireCode, count]) => {
        return { wireCode, text: wireErrorText(wireCode), count };
      }),
      lost: this.#lost,
      dropped: this.#dropped,
      ratePerSecond: perSecond(Math.max(0, this.#arrived - wrong)),
      latencyNs: encodeHistogram(this.#latency),
      serviceNs: isOpen ? encodeHistogram(this.#service) : null,
    };
  }
}
