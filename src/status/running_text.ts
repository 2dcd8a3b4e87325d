import process from "node:process";
import type { StatusState } from "./status_report.ts";

/** What runs at the moment, a line each: where Go's programs list goroutines. */
export function runningText(state: StatusState): string {
  const { gauges, workers, restarts, isDraining } = state;
  const { rss, heapUsed, external } = process.memoryUsage();
  const lines: readonly Line[] = [
    ["workers", workers],
    ["workers that died and were replaced", restarts],
    ["draining", isDraining ? "yes" : "no"],
    ["connections in their handshake", gauges.handshaking],
    ["connections established", gauges.established],
    ["requests in flight", gauges.inFlight],
    ["oldest request in flight, ms", Math.round(gauges.oldestInFlightMs)],
    ["requests waiting for a slot", gauges.waiting],
    ["oldest waiting request, ms", Math.round(gauges.oldestWaitingMs)],
    ...signingLines(state),
    ["bytes that clients have not taken", gauges.unsentBytes],
    ...state.perWorker.map(({ name, server }): Line => [
      name,
      `${server.handshaking + server.established} connections, ${server.inFlight} in flight`,
    ]),
    ["resident memory, bytes", rss],
    ["heap of the main thread, bytes", heapUsed],
    ["memory outside the heap of the main thread, bytes", external],
  ];
  return lines.map(([what, value]) => `${what}: ${value}`).join("\n");
}

type Line = readonly [what: string, value: number | string];

function signingLines({ signing }: StatusState): Line[] {
  if (signing === undefined) return [];
  const { waiting, oldestMs, largest, atThreads, busy, threads, shed } = signing;
  return [
    ["requests waiting for a signing thread", waiting],
    ["oldest request waiting for a signing thread, ms", Math.round(oldestMs)],
    ["requests at signing threads", atThreads],
    ["most requests that ever waited or were at signing threads at once", largest],
    ["signing threads busy", `${busy} of ${threads}`],
    ...Object.entries(shed).map(([reason, count]): Line => [`requests shed, ${reason}`, count]),
  ];
}
