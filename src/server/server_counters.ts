import { sharedCounterMemory, SharedCounters } from "../threads/shared_counters.ts";

/** What limits bound over all workers of a server. */
export const SERVER_COUNTERS = ["established", "handshaking", "unsentBytes"] as const;

export type ServerCounters = SharedCounters<(typeof SERVER_COUNTERS)[number]>;

/** Those of a server that is alone. */
export function ownServerCounters(): ServerCounters {
  return new SharedCounters(SERVER_COUNTERS, sharedCounterMemory(SERVER_COUNTERS.length, 1), 0);
}
