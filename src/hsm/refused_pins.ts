import { createHmac, randomBytes } from "node:crypto";

/**
 * The PINs that tokens have refused, or may have, so that none is tried twice, however often their
 * modules' processes are started again. One alone has a second try, a minute later: that which the
 * token has taken before in this run, and of which it is not known what became of it now, as while an
 * HSM restarts. What is kept tells nobody a PIN without the key, which is never written.
 */
export class RefusedPins {
  readonly #key = randomBytes(32);
  readonly #known = new Map<string, Known>();
  readonly #nowMs: () => number;

  constructor(nowMs = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /**
   * Whether a PIN is not to be tried.
   *
   * @param token what tells the token apart
   */
  has(token: string, pin: Uint8Array): boolean {
    const known = this.#known.get(this.#digestOf(token, pin));
    if (known === undefined || known.state === "taken") return false;
    if (known.state === "refused" || !known.wasTaken) return true;
    return known.unclear > 1 || this.#nowMs() - known.sinceMs < AGAIN_AFTER_MS;
  }

  /** It is handed over: from now on it counts as refused, until one of those that are given is called. */
  handOver(token: string, pin: Uint8Array): HandedPin {
    const digest = this.#digestOf(token, pin);
    const before = this.#known.get(digest);
    const wasTaken = before?.wasTaken ?? false;
    const unclear = (before?.unclear ?? 0) + 1;
    const put = (state: Known["state"]) => {
      this.#known.set(digest, { state, wasTaken, unclear, sinceMs: this.#nowMs() });
    };
    put("unclear");
    return {
      taken: () => {
        this.#known.set(digest, { state: "taken", wasTaken: true, unclear: 0, sinceMs: 0 });
      },
      refused: () => put("refused"),
      notLookedAt: () => {
        if (before === undefined) this.#known.delete(digest);
        else this.#known.set(digest, before);
      },
    };
  }

  #digestOf(token: string, pin: Uint8Array): string {
    return createHmac("sha256", this.#key).update(`${token}\0`).update(pin).digest("hex");
  }
}

/** What became of a PIN. */
export interface HandedPin {
  readonly taken: () => void;
  readonly refused: () => void;
  readonly notLookedAt: () => void;
}

interface Known {
  readonly state: "unclear" | "taken" | "refused";
  /** Ever, in this run. */
  readonly wasTaken: boolean;
  /** How often in a row it was handed over without a clear answer. */
  readonly unclear: number;
  readonly sinceMs: number;
}

const AGAIN_AFTER_MS = 60_000;
