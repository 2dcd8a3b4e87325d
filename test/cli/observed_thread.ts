/** A worker that counts, and answers what `ObservedServer` asks of one. */
import { parentPort } from "node:worker_threads";
import { WIRE_ERRORS } from "../../src/protocol/errors.ts";
import { RequestTimes } from "../../src/telemetry/request_times.ts";
import { ThreadMetrics } from "../../src/telemetry/metrics/thread_metrics.ts";
import type { MetricSnapshot } from "../../src/telemetry/metrics/registry.ts";
import { type CpuProfile, recordCpuProfile } from "../../src/telemetry/profiles/cpu_profile.ts";
import { heapProfile, type HeapType } from "../../src/telemetry/profiles/heap_profile.ts";
import { ServerMetrics } from "../../src/telemetry/server_metrics.ts";
import { answerQuestions } from "../../src/threads/questions.ts";

export type ObservedThreadAnswers = {
  readonly work: (requests: number) => void;
  readonly metrics: () => MetricSnapshot[];
  readonly cpuProfile: (durationMs: number) => Promise<CpuProfile>;
  readonly heapProfile: () => Promise<readonly HeapType[]>;
};

class KeptByTheThread {
  readonly number: number;
  constructor(number: number) {
    this.number = number;
  }
}

const kept = Array.from({ length: 1_000 }, (_, i) => new KeptByTheThread(i));
const PING = 0xf1;
const metrics = new ServerMetrics();
const thread = new ThreadMetrics();
thread.watchEventLoop();
metrics.watchServer(() => ({
  ...{ handshaking: 0, established: 1, maxConnections: kept.length, inFlight: 0 },
  ...{ oldestInFlightMs: 0, waiting: 0, oldestWaitingMs: 0, unsentBytes: 0 },
}));
setInterval(burnInTheThread, 10);

answerQuestions<ObservedThreadAnswers>(parentPort!, {
  work(requests) {
    for (let i = 0; i < requests; i++) {
      metrics.received(PING);
      metrics.executed(new RequestTimes(0, 1), PING, WIRE_ERRORS.NONE);
    }
  },
  metrics: () => [...metrics.registry.snapshot(), ...thread.registry.snapshot()],
  cpuProfile: recordCpuProfile,
  heapProfile: () => heapProfile(),
});

function burnInTheThread(): void {
  const endMs = performance.now() + 5;
  while (performance.now() < endMs);
}
