import process from "node:process";
import type { StatusState } from "./status_report.ts";

/** What runs at the moment, a line each: where Go's programs list goroutines. */
export function runningText({ gauges, workers, isDraining }: StatusState): string {
  const { rss, heapUsed, external } = process.memoryUsage();
  const lines: readonly (readonly [string, number | string])[] = [
    ["workers", workers],
    ["draining", isDraining ? "yes" : "no"],
    ["connections in their handshake", gauges.handshaking],
    ["connections established", gauges.established],
    ["requests in flight", gauges.inFlight],
    ["oldest request in flight, ms", Math.round(gauges.oldestInFlightMs)],
    ["requests waiting for a slot", gauges.waiting],
    ["oldest waiting request, ms", Math.round(gauges.oldestWaitingMs)],
    ["bytes that clients have not taken", gauges.unsentBytes],
    ["resident memory, bytes", rss],
    ["heap in use, bytes", heapUsed],
    ["memory outside the heap, bytes", external],
  ];
  return lines.map(([what, value]) => `${what}: ${value}`).join("\n");
}
