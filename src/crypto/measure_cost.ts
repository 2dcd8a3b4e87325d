import type { Engine, PrivateKey } from "./engine.ts";
import { SAMPLE_SCHEMES } from "./scheme.ts";

/**
 * What one operation with a key costs, in milliseconds: the median of some warm runs. All schemes of
 * a key, and all keys of a kind and size, cost nearly the same.
 */
export function measureCost(engine: Engine, key: PrivateKey): number {
  const scheme = SAMPLE_SCHEMES[key.info.type];
  const bytes = new Uint8Array(32).fill(1);
  const runsMs: number[] = [];
  const begunMs = performance.now();
  engine.sign(key, scheme, bytes); // prepares what the others find: blinding, tables, compiled code
  do {
    const startedMs = performance.now();
    engine.sign(key, scheme, bytes);
    runsMs.push(performance.now() - startedMs);
  } while (runsMs.length < RUNS && performance.now() - begunMs < ENOUGH_MS);
  return runsMs.toSorted((a, b) => a - b)[Math.floor(runsMs.length / 2)]!;
}

const RUNS = 20;
/**
 * Of what takes longer some runs tell enough: a large RSA key takes half a second each time. Where the
 * machine is busy, one run may be held up for a part of this.
 */
const ENOUGH_MS = 60;
