import type { Sample } from "./messages.ts";
import type { BenchRequest } from "./requests.ts";

/** Looks at the answers that were kept for it, on the thread that does nothing else. */
export class SampleVerdicts {
  /** Answers that are wrong, by operation. */
  readonly wrong: number[];
  /** Of the first wrong one: its operation, and the key as it is called. */
  firstWrong: { readonly operation: number; readonly key: string | undefined } | undefined;
  checked = 0;
  skipped = 0;
  readonly #requests: readonly (readonly BenchRequest[])[];

  /** @param requests of each operation, for each key, as in the threads' plans */
  constructor(requests: readonly (readonly BenchRequest[])[]) {
    this.#requests = requests;
    this.wrong = requests.map(() => 0);
  }

  look({ operation, key, payload }: Sample): void {
    const request = this.#requests[operation]![key]!;
    const isRight = request.isRight(payload);
    if (isRight === undefined) this.skipped++;
    else this.checked++;
    if (isRight !== false) return;
    this.wrong[operation]!++;
    this.firstWrong ??= { operation, key: request.key?.label };
  }
}
