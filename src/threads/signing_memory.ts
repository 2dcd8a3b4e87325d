import { sharedCounterMemory } from "./shared_counters.ts";
import { signalMemory } from "./signals.ts";
import { turnMemory } from "./turns.ts";

/**
 * What event loops and signing threads share. Plain, so that it can go to a thread as `workerData`.
 * Each loop, and each thread, has its place in it, from 0; a replacement takes the place over.
 */
export interface SigningMemory {
  readonly loops: number;
  readonly threads: number;
  readonly signals: SharedArrayBuffer;
  readonly turns: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
}

/**
 * What each loop counts for the others: connections that wait for something, what their requests
 * take (`Amounts`), and turns that are not free.
 */
export const SIGNING_COUNTERS = ["connections", "requests", "bytes", "work", "turns"] as const;
export type SigningCounter = (typeof SIGNING_COUNTERS)[number];

export function createSigningMemory(loops: number, threads: number): SigningMemory {
  return {
    loops,
    threads,
    signals: signalMemory(loops, threads),
    turns: turnMemory(loops, threads),
    counters: sharedCounterMemory(SIGNING_COUNTERS.length, loops),
  };
}
