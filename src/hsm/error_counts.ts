import { ckrOf } from "./cryptoki.ts";

/** How often a token has failed, by the names that PKCS#11 has for it; what has none is "other". */
export class ErrorCounts {
  readonly #counts = new Map<string, number>();

  /** @param message may hold a name */
  add(message: string): void {
    const name = ckrOf(message) ?? OTHER;
    const counted = this.#counts.has(name) || this.#counts.size < MAX_NAMES ? name : OTHER;
    this.#counts.set(counted, (this.#counts.get(counted) ?? 0) + 1);
  }

  toRecord(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}

const OTHER = "other";
/** A vendor may have codes of its own. */
const MAX_NAMES = 64;
