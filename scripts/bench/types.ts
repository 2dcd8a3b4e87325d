/** What is measured. Tables of these are all that there is. */
export interface Measurement {
  /** For --only. */
  readonly name: string;
  readonly section: Section;
  /** They take turns (A B A B), each for a short time. */
  readonly runs: readonly Run[];
  /** What is to be seen of them, and what must hold. */
  readonly checks: (figure: FigureOf) => readonly Check[];
}

export const SECTIONS = ["operations", "isolation", "scaling"] as const;
export type Section = (typeof SECTIONS)[number];

/** Loads that go at once, for as long as the first one, by their names: the rows of the table. */
export type Run = Readonly<Record<string, Load>>;
export type Load = BenchLoad | OpensslLoad;

/** A `keyless bench` with one client thread; without `rate` in a closed loop. */
export interface BenchLoad {
  /** As --op takes it. */
  readonly op: string;
  /** The operation of a mix that figures are of; default: all of them. */
  readonly watched?: string;
  /** Names of keys. Default: those of the server that suit the operation. */
  readonly keys?: readonly string[];
  readonly connections: number;
  readonly inFlight: number;
  /** Requests a second, whatever comes back. */
  readonly rate?: number;
  readonly server?: ServerSpec;
}

/** An `openssl speed`; on all cores by the clock, on one by its CPU time. */
export interface OpensslLoad {
  readonly openssl: string;
  readonly on: "one core" | "all cores";
}

export interface ServerSpec {
  /** Default: "few". */
  readonly keys?: KeySet;
  /** Default: one a core. */
  readonly workers?: number;
  /** Connections that are held meanwhile, and hardly used. */
  readonly idleConnections?: number;
}

/** Those of `--dev` and four of RSA-2048 more; or those, and so many of P-256. */
export type KeySet = "few" | "1,000" | "100,000";

/** What a load had; of several rounds, the median of each. */
export type Figures = Readonly<Partial<Record<FigureName, number>>>;

export type FigureName =
  /** Right answers; of openssl, signatures. */
  | "ratePerSecond"
  /** CPU time of the server, or of openssl, for each; where one load ran alone. */
  | "cpuMicroseconds"
  /** The same of the client. */
  | "clientMicroseconds"
  | "p50Ms"
  | "p99Ms"
  /** Of all requests that were due, 0 to 1. */
  | "failedShare"
  /** Of the server: from its start until it listened, and its memory after the load. */
  | "startSeconds"
  | "memoryMegabytes"
  | "peakMegabytes"
  /** Mean time that finding a key took it meanwhile. */
  | "lookupMicroseconds";

/** A figure of a load, by its name. Throws where there is none. */
export type FigureOf = (load: string, figure: FigureName) => number;

export interface Check {
  readonly what: string;
  /** "0.91", "28.3 µs". */
  readonly figure: string;
  /** "at least 0.85"; undefined where nothing must be reached. */
  readonly target: string | undefined;
  readonly isReached: boolean | undefined;
}

/** How carefully is measured. */
export interface Effort {
  /**
   * Seconds for which each load runs before it is measured: server and load generator compile what
   * they run much of, and a server is to be known as it is after that.
   */
  readonly warmup: number;
  /** For which each load is measured. */
  readonly seconds: number;
  /** How often each load is measured. */
  readonly rounds: number;
}
