import { sharedCounterMemory, SharedCounters } from "../threads/shared_counters.ts";

/**
 * What limits bound over all workers of a server. Reply bytes that have not left are counted in KiB,
 * each connection's rounded up: in 32 bits there is room for more than any machine holds.
 */
export const SERVER_COUNTERS = ["established", "handshaking", "unsentKib"] as const;

export type ServerCounters = SharedCounters<(typeof SERVER_COUNTERS)[number]>;

/** Those of a server that is alone. */
export function ownServerCounters(): ServerCounters {
  return new SharedCounters(SERVER_COUNTERS, sharedCounterMemory(SERVER_COUNTERS.length, 1), 0);
}
