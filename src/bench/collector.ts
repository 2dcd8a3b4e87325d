import { addPairs, createHistogram, encodeHistogram } from "./histogram.ts";
import type { ConnectReport, Interval, TransportTally } from "./messages.ts";
import { OperationSum } from "./operation_sum.ts";
import type { BenchResult, BenchSecond } from "./result.ts";
import type { SampleVerdicts } from "./samples.ts";
import { type LiveSecond, SecondSum } from "./second_sum.ts";

/** Adds up what all threads report. */
export class Collector {
  readonly #names: readonly string[];
  readonly #threads: number;
  readonly #isOpen: boolean;
  readonly #onSecond: (second: LiveSecond) => void;
  readonly #operations: readonly OperationSum[];
  readonly #seconds = new Map<string, SecondSum>();
  readonly #series: BenchSecond[] = [];
  readonly #lateness = createHistogram();
  readonly #setUp = createHistogram();
  readonly #transportErrors = new Map<string, TransportTally>();
  readonly #threadTimes: ThreadTime[];
  #made = 0;
  #connectsFailed = 0;
  #late = 0;

  /** @param onSecond told of each second once all threads have reported it */
  constructor(
    names: readonly string[],
    threads: number,
    isOpen: boolean,
    onSecond: (second: LiveSecond) => void,
  ) {
    this.#names = names;
    this.#threads = threads;
    this.#isOpen = isOpen;
    this.#onSecond = onSecond;
    this.#operations = names.map(() => new OperationSum());
    this.#threadTimes = Array.from(
      { length: threads },
      () => ({ measuredMs: 0, onCpuNs: 0, waitingNs: 0, isKnown: true }),
    );
  }

  /** How long was measured: by the thread that measured longest. */
  get elapsedMs(): number {
    return Math.max(...this.#threadTimes.map(({ measuredMs }) => measuredMs));
  }

  connected({ made, failed, setUpNs }: ConnectReport): void {
    this.#made += made;
    this.#connectsFailed += failed;
    addPairs(this.#setUp, setUpNs);
  }

  interval(thread: number, interval: Interval): void {
    const { phase, operations } = interval;
    this.connected(interval.connects);
    for (const error of interval.transportErrors) this.#addTransportError(error);
    for (const [at, tally] of operations.entries()) this.#operations[at]!.add(phase, tally);
    addPairs(this.#lateness, interval.latenessNs);
    this.#late += interval.late;
    if (phase === "drain") return;
    if (phase === "measure") this.#addTimes(this.#threadTimes[thread]!, interval);
    this.#addToSecond(phase, interval);
  }

  /** The fields of the result that are counted. */
  result(verdicts: SampleVerdicts): CountedFields {
    this.#closeSeconds();
    const seconds = this.elapsedMs / 1_000;
    const perSecond = (count: number) => seconds === 0 ? 0 : count / seconds;
    const operations = this.#operations.map((sum, at) =>
      sum.result(this.#names[at]!, verdicts.wrong[at] ?? 0, this.#isOpen, perSecond)
    );
    const sum = (field: "sent" | "answered" | "wrong" | "lost" | "dropped" | "ratePerSecond") =>
      operations.reduce((total, operation) => total + operation[field], 0);
    const errors = operations.flatMap((operation) => operation.errors);
    return {
      elapsedMs: this.elapsedMs,
      totals: {
        sent: sum("sent"),
        answered: sum("answered"),
        wrong: sum("wrong"),
        errors: errors.reduce((total, { count }) => total + count, 0),
        lost: sum("lost"),
        dropped: sum("dropped"),
        late: this.#late,
        ratePerSecond: sum("ratePerSecond"),
      },
      operations,
      transportErrors: [...this.#transportErrors.values()],
      connects: {
        made: this.#made,
        failed: this.#connectsFailed,
        setUpNs: encodeHistogram(this.#setUp),
      },
      pacerLatenessNs: this.#isOpen ? encodeHistogram(this.#lateness) : null,
      series: this.#series,
    };
  }

  /** How each thread spent the measured time. */
  threadShares(): BenchResult["client"]["threads"] {
    return this.#threadTimes.map(({ measuredMs, onCpuNs, waitingNs, isKnown }) => {
      const share = (ns: number) => isKnown && measuredMs > 0 ? ns / (measuredMs * 1e6) : null;
      return { cpuShare: share(onCpuNs), waitShare: share(waitingNs) };
    });
  }

  #addTransportError(error: TransportTally): void {
    const known = this.#transportErrors.get(error.code);
    const count = (known?.count ?? 0) + error.count;
    this.#transportErrors.set(error.code, { ...known ?? error, count });
  }

  #addTimes(time: ThreadTime, { spanMs, times }: Interval): void {
    time.measuredMs += spanMs;
    if (times === undefined) {
      time.isKnown = false;
      return;
    }
    time.onCpuNs += times.onCpuNs;
    time.waitingNs += times.waitingNs;
  }

  #addToSecond(phase: LiveSecond["phase"], interval: Interval): void {
    const key = `${phase} ${interval.index}`;
    const second = this.#seconds.get(key) ?? new SecondSum(phase, interval.index);
    this.#seconds.set(key, second);
    second.add(interval);
    if (second.threads === this.#threads) this.#close(key, second);
  }

  /** Of threads that ended before others, too. */
  #closeSeconds(): void {
    for (const [key, second] of this.#seconds) this.#close(key, second);
  }

  #close(key: string, second: SecondSum): void {
    this.#seconds.delete(key);
    const row = second.row();
    if (row.spanSeconds === 0) return;
    if (second.phase === "measure") this.#series.push(row);
    this.#onSecond({ phase: second.phase, ...row });
  }
}

export type CountedFields = Pick<
  BenchResult,
  | "elapsedMs"
  | "totals"
  | "operations"
  | "transportErrors"
  | "connects"
  | "pacerLatenessNs"
  | "series"
>;

interface ThreadTime {
  measuredMs: number;
  onCpuNs: number;
  waitingNs: number;
  isKnown: boolean;
}
