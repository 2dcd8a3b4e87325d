import type { KeyShape } from "../crypto/public_key.ts";
import { type Scheme, SCHEMES } from "../crypto/scheme.ts";

/** What is carried out: how long it takes depends on nothing else. */
export interface CostedOperation {
  readonly shape: KeyShape;
  readonly scheme: Scheme;
}

/** What operations of a token take, by kind and size of the key and by mechanism: learnt on the way. */
export class OperationCosts {
  readonly #costsMs = new Map<string, number>();

  /** The usual time in milliseconds; before the first, a guess that is rather high. */
  of(operation: CostedOperation): number {
    return this.#costsMs.get(kindOf(operation)) ?? FIRST_GUESS_MS;
  }

  /** One session has carried these out, one after the other, in so much time together. */
  observe(operations: readonly CostedOperation[], tookMs: number): void {
    const expectedMs = operations.reduce((sum, operation) => sum + this.of(operation), 0);
    const factor = tookMs / Math.max(expectedMs, LEAST_MS);
    const counts = new Map<string, number>();
    for (const operation of operations) {
      const kind = kindOf(operation);
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
    for (const [kind, count] of counts) {
      const known = this.#costsMs.get(kind);
      const seenMs = Math.max((known ?? FIRST_GUESS_MS) * factor, LEAST_MS);
      const weight = known === undefined ? 1 : 1 - (1 - NEWEST) ** count;
      this.#costsMs.set(kind, (known ?? 0) * (1 - weight) + seenMs * weight);
    }
  }
}

function kindOf({ shape: { type, bits }, scheme }: CostedOperation): string {
  return `${type} ${bits} ${SCHEMES[scheme].padding}`;
}

const FIRST_GUESS_MS = 5;
const LEAST_MS = 0.001;
/** The share of what was seen last: one slow answer among fast ones says little. */
const NEWEST = 0.1;
