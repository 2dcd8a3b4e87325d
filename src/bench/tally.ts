import { clampNs, createHistogram, type Histogram, toPairs } from "./histogram.ts";
import type { KeylessError } from "../errors/errors.ts";
import type { ErrorCode } from "../errors/table.ts";
import type {
  ConnectReport,
  Interval,
  OperationTally,
  Phase,
  Sample,
  TransportTally,
} from "./messages.ts";
import { threadTimes } from "./thread_cpu.ts";

/** What one thread has seen since its last report. */
export class Tally {
  late = 0;
  made = 0;
  connectsFailed = 0;
  samplesSkipped = 0;
  readonly operations: readonly OperationCounter[];
  readonly lateness = createHistogram();
  readonly setUp = createHistogram();
  readonly samples: Sample[] = [];
  readonly #transportErrors = new Map<ErrorCode, { message: string; count: number }>();
  #times = threadTimes();

  constructor(operations: number, isOpen: boolean) {
    this.operations = Array.from({ length: operations }, () => new OperationCounter(isOpen));
  }

  /** The thread's time is counted from here on. */
  begin(): void {
    this.#times = threadTimes();
  }

  countTransportError({ code, message }: KeylessError): void {
    const known = this.#transportErrors.get(code);
    if (known === undefined) this.#transportErrors.set(code, { message, count: 1 });
    else known.count++;
  }

  takeSample(sample: Sample): void {
    if (this.samples.length < MAX_SAMPLES) this.samples.push(sample);
    else this.samplesSkipped++;
  }

  /** All of it, and begins anew. */
  take(phase: Phase, index: number, spanMs: number): Interval {
    const interval = {
      phase,
      index,
      spanMs,
      operations: this.operations.map((operation) => operation.take()),
      late: this.late,
      latenessNs: takePairs(this.lateness),
      transportErrors: this.#takeTransportErrors(),
      connects: this.takeConnects(),
      samples: this.samples.splice(0),
      samplesSkipped: this.samplesSkipped,
      times: this.#takeTimes(),
    };
    this.late = this.samplesSkipped = 0;
    return interval;
  }

  takeConnects(): ConnectReport {
    const { made, connectsFailed: failed } = this;
    this.made = this.connectsFailed = 0;
    return { made, failed, setUpNs: takePairs(this.setUp) };
  }

  #takeTransportErrors(): TransportTally[] {
    const errors = [...this.#transportErrors].map(([code, error]) => ({ code, ...error }));
    this.#transportErrors.clear();
    return errors;
  }

  #takeTimes(): Interval["times"] {
    const before = this.#times;
    const now = this.#times = threadTimes();
    if (before === undefined || now === undefined) return undefined;
    return {
      onCpuNs: now.onCpuNs - before.onCpuNs,
      waitingNs: now.waitingNs - before.waitingNs,
    };
  }
}

class OperationCounter {
  sent = 0;
  arrived = 0;
  answered = 0;
  lost = 0;
  dropped = 0;
  readonly #latency = createHistogram();
  readonly #service: Histogram | undefined;
  readonly #errors = new Map<number, number>();

  constructor(isOpen: boolean) {
    this.#service = isOpen ? createHistogram() : undefined;
  }

  countAnswer(dueMs: number, sentMs: number, nowMs: number): void {
    this.answered++;
    this.#latency.recordValue(clampNs((nowMs - dueMs) * NS_A_MS));
    this.#service?.recordValue(clampNs((nowMs - sentMs) * NS_A_MS));
  }

  countError(wireCode: number): void {
    this.#errors.set(wireCode, (this.#errors.get(wireCode) ?? 0) + 1);
  }

  take(): OperationTally {
    const { sent, arrived, answered, lost, dropped } = this;
    const errors = [...this.#errors];
    this.sent =
      this.arrived =
      this.answered =
      this.lost =
      this.dropped =
        0;
    this.#errors.clear();
    return {
      sent,
      arrived,
      answered,
      lost,
      dropped,
      errors,
      latencyNs: takePairs(this.#latency),
      serviceNs: this.#service === undefined ? new Float64Array(0) : takePairs(this.#service),
    };
  }
}

export const NS_A_MS = 1_000_000;

/** Answers to be verified that one report carries: a second's. */
const MAX_SAMPLES = 1_000;

function takePairs(histogram: Histogram): Float64Array {
  const pairs = toPairs(histogram);
  if (pairs.length > 0) histogram.reset();
  return pairs;
}
