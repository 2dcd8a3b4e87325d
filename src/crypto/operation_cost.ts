import type { Engine, PrivateKey } from "./engine.ts";
import { keyLabel, type PublicKeyInfo } from "./public_key.ts";
import type { SignScheme } from "./scheme.ts";

/**
 * What one private-key operation costs, in milliseconds, by the kind and size of the key. Each is
 * measured once, with the first key of it that comes: all schemes of a key cost nearly the same.
 */
export class OperationCosts {
  readonly #engine: Engine;
  readonly #costs = new Map<string, number>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  of(key: PrivateKey): number {
    const label = keyLabel(key.info);
    let costMs = this.#costs.get(label);
    if (costMs === undefined) {
      costMs = measure(() => void this.#engine.sign(key, ...sampleOf(key.info)));
      this.#costs.set(label, costMs);
    }
    return costMs;
  }
}

/** The median of some warm runs. */
function measure(operation: () => void): number {
  const runsMs: number[] = [];
  const begunMs = performance.now();
  operation(); // the first prepares what the others find: blinding, tables, compiled code
  do {
    const startedMs = performance.now();
    operation();
    runsMs.push(performance.now() - startedMs);
  } while (runsMs.length < RUNS && performance.now() - begunMs < ENOUGH_MS);
  return runsMs.toSorted((a, b) => a - b)[Math.floor(runsMs.length / 2)]!;
}

const RUNS = 20;
/** Of what takes longer some runs tell enough: a large RSA key takes half a second each time. */
const ENOUGH_MS = 20;

/** SHA-256 fits every RSA key that is loaded, and every curve. */
const SAMPLES: Readonly<Record<PublicKeyInfo["type"], SignScheme>> = {
  rsa: "rsa-sha256",
  ec: "ecdsa-sha256",
  ed25519: "ed25519",
};

function sampleOf({ type }: PublicKeyInfo): [SignScheme, Uint8Array] {
  return [SAMPLES[type], new Uint8Array(32).fill(1)];
}
