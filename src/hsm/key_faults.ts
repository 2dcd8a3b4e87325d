/**
 * The keys whose requests end sessions again and again: their objects are broken, or the token cannot
 * stand what they are asked for. They are refused for a time, longer each time, so that
 * other keys go on.
 */
export class KeyFaults {
  readonly #faults = new Map<number, Fault>();

  /** A request for the key has ended a session. */
  blame(key: number, why: string, nowMs = performance.now()): void {
    const before = this.#faults.get(key);
    const isInRow = before !== undefined && nowMs < before.untilMs + FORGOTTEN_AFTER_MS;
    const count = isInRow ? before.count + 1 : 1;
    const refusedMs = count < REFUSED_FROM
      ? 0
      : Math.min(FIRST_REFUSED_MS * 2 ** (count - REFUSED_FROM), MAX_REFUSED_MS);
    this.#faults.set(key, { count, why, untilMs: nowMs + refusedMs });
  }

  /** The session had ended for another reason. */
  absolve(key: number): void {
    this.#faults.delete(key);
  }

  /** Why the key is refused for the moment; undefined where it is not. */
  whyRefused(key: number, nowMs = performance.now()): string | undefined {
    const fault = this.#faults.get(key);
    if (fault === undefined || nowMs >= fault.untilMs) return undefined;
    const { count, why, untilMs } = fault;
    const seconds = Math.ceil((untilMs - nowMs) / 1_000);
    return `requests for the key have ended ${count} sessions in a row, so it is refused for ` +
      `another ${seconds} s: ${why}`;
  }
}

interface Fault {
  /** In a row. */
  readonly count: number;
  readonly why: string;
  readonly untilMs: number;
}

/** Fewer may be chance, or the login's: `Recovery` has made that anew by then. */
const REFUSED_FROM = 4;
/** As long as it takes until the next lost session is replaced at once: see `Recovery`. */
const FIRST_REFUSED_MS = 10_000;
const MAX_REFUSED_MS = 5 * 60_000;
const FORGOTTEN_AFTER_MS = 60_000;
