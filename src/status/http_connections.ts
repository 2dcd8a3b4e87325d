import type { Socket } from "node:net";
import { cutSocket } from "../runtime/socket.ts";
import { afterOthers } from "../runtime/turn.ts";
import type { HttpLimits } from "./http_limits.ts";
import type { HttpMetrics } from "./http_metrics.ts";
import { Pace } from "./pace.ts";

/**
 * The connections of one HTTP port. Each asks once, is answered, and takes its response; asking and
 * taking have a deadline each, so that silent and slow peers hold nothing for long.
 *
 * One is started in each turn of the event loop, and so many in a second: however many come, whatever
 * else the process does waits for one handshake or request at a time, and has most of the time.
 */
export class HttpConnections {
  readonly #limits: HttpLimits;
  readonly #metrics: HttpMetrics;
  /** By raw socket, the oldest first. */
  readonly #open = new Map<object, Connection>();
  readonly #pace: Pace;
  /** In this turn. */
  #hasStarted = false;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(limits: HttpLimits, metrics: HttpMetrics) {
    this.#limits = limits;
    this.#metrics = metrics;
    this.#pace = new Pace({ perSecond: limits.startsPerSecond, burst: limits.startsAtOnce });
  }

  /**
   * A connection has come: it waits for its turn, or is cut where too many wait.
   *
   * @param start begins to read it
   */
  add(socket: Socket, start: () => void): void {
    socket.on("error", () => {}); // it closes then
    const { maxConnections, maxWaiting, requestMs } = this.#limits;
    if (this.#open.size >= maxConnections + maxWaiting) {
      this.#metrics.cut("limit");
      cutSocket(socket);
      return;
    }
    const connection: Connection = {
      ...{ socket, start, step: "new", startedMs: 0, timer: undefined },
    };
    this.#open.set(socket, connection);
    this.#restart(connection, requestMs);
    socket.once("close", () => {
      this.#forget(connection);
      this.#startNext();
    });
    this.#startNext();
  }

  /** @returns false for one that has asked already, or is gone */
  startAnswer(socket: object): boolean {
    const connection = this.#open.get(socket);
    if (connection?.step !== "asking") return false;
    connection.step = "answering";
    clearTimeout(connection.timer);
    return true;
  }

  /** The answer is on its way. */
  answered(socket: object): void {
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    connection.step = "taking";
    this.#restart(connection, this.#limits.responseMs);
  }

  cutAll(): void {
    for (const connection of [...this.#open.values()]) this.#cut(connection);
    clearTimeout(this.#retry);
  }

  /** At once, and then one in each turn. */
  #startNext(): void {
    const next = [...this.#open.values()].find(({ step }) => step === "new");
    if (next === undefined || this.#hasStarted) return;
    const waitMs = this.#pace.waitMs() || (this.#makeRoom() ? 0 : this.#limits.graceMs / 4);
    if (waitMs > 0) {
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.#startNext(), waitMs);
      return;
    }
    this.#pace.begin();
    this.#hasStarted = true;
    afterOthers(() => {
      this.#hasStarted = false;
      this.#startNext();
    });
    next.step = "asking";
    next.startedMs = performance.now();
    next.start();
  }

  /** @returns false where nobody gives way yet */
  #makeRoom(): boolean {
    const started = [...this.#open.values()].filter(({ step }) => step !== "new");
    if (started.length < this.#limits.maxConnections) return true;
    const hadGraceMs = performance.now() - this.#limits.graceMs;
    const oldest = started.find(({ step, startedMs }) =>
      step !== "answering" && startedMs <= hadGraceMs
    );
    if (oldest === undefined) return false;
    this.#metrics.cut("limit");
    this.#cut(oldest);
    return true;
  }

  #restart(connection: Connection, ms: number): void {
    clearTimeout(connection.timer);
    connection.timer = setTimeout(() => {
      this.#metrics.cut("slow");
      this.#cut(connection);
    }, ms);
  }

  #cut(connection: Connection): void {
    this.#forget(connection);
    cutSocket(connection.socket);
  }

  #forget(connection: Connection): void {
    clearTimeout(connection.timer);
    this.#open.delete(connection.socket);
  }
}

interface Connection {
  readonly socket: Socket;
  readonly start: () => void;
  step: "new" | "asking" | "answering" | "taking";
  /** On the clock of `performance.now()`. */
  startedMs: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}
