/** What the connections of a worker are at the moment when it is asked. */
export interface ServerGauges {
  readonly handshaking: number;
  readonly established: number;
  /** Of all workers together. */
  readonly maxConnections: number;
  readonly inFlight: number;
  /** 0 where nothing is in flight. */
  readonly oldestInFlightMs: number;
  readonly waiting: number;
  readonly oldestWaitingMs: number;
  readonly unsentBytes: number;
}

/** What waits in a worker for signing threads, and what they have of it. */
export interface SigningGauges {
  readonly waiting: number;
  /** 0 where none waits. */
  readonly oldestMs: number;
  readonly atThreads: number;
  /** The most requests that have ever waited or been at threads at once; of all workers. */
  readonly largest: number;
  /** Threads that have something to do, for whichever worker, of those that run. */
  readonly busy: number;
  readonly threads: number;
  /** Requests that were not carried out, by reason, since the worker's start. */
  readonly shed: Readonly<Record<string, number>>;
}

/** One worker. */
export interface WorkerGauges {
  /** "worker 1". */
  readonly name: string;
  readonly server: ServerGauges;
  /** Undefined where there are no signing threads. */
  readonly signing: SigningGauges | undefined;
}

/** The gauges of all workers together, as the table METRICS joins them. */
export function joinGauges(workers: readonly ServerGauges[]): ServerGauges {
  const { sum, max } = over(workers);
  return {
    handshaking: sum("handshaking"),
    established: sum("established"),
    maxConnections: max("maxConnections"),
    inFlight: sum("inFlight"),
    oldestInFlightMs: max("oldestInFlightMs"),
    waiting: sum("waiting"),
    oldestWaitingMs: max("oldestWaitingMs"),
    unsentBytes: sum("unsentBytes"),
  };
}

/** The same of what waits for signing threads. */
export function joinSigningGauges(workers: readonly SigningGauges[]): SigningGauges {
  const { sum, max } = over(workers);
  const reasons = new Set(workers.flatMap(({ shed }) => Object.keys(shed)));
  return {
    waiting: sum("waiting"),
    oldestMs: max("oldestMs"),
    largest: max("largest"),
    atThreads: sum("atThreads"),
    busy: max("busy"),
    threads: max("threads"),
    shed: Object.fromEntries(
      [...reasons].map((reason) => [
        reason,
        workers.reduce((count, { shed }) => count + (shed[reason] ?? 0), 0),
      ]),
    ),
  };
}

type NumbersOf<Gauges> = {
  [Name in keyof Gauges]: Gauges[Name] extends number ? Name : never;
}[keyof Gauges];

function over<Gauges>(workers: readonly Gauges[]): {
  readonly sum: (name: NumbersOf<Gauges>) => number;
  readonly max: (name: NumbersOf<Gauges>) => number;
} {
  const values = (name: NumbersOf<Gauges>) => workers.map((each) => each[name] as number);
  return {
    sum: (name) => values(name).reduce((sum, value) => sum + value, 0),
    max: (name) => values(name).reduce((most, value) => Math.max(most, value), 0),
  };
}
