import type { TLSSocket } from "node:tls";
import type { ClientIdentity, Keystore } from "../keystore/keystore.ts";
import { threadCpuClock } from "../runtime/thread_cpu.ts";
import type { ServerLog } from "../telemetry/server_log.ts";
import type { ServerGauges } from "../telemetry/server_gauges.ts";
import type { ServerMetrics } from "../telemetry/server_metrics.ts";
import type { Tracer } from "../telemetry/tracing/tracer.ts";
import { Connection } from "./connection.ts";
import { HandshakePace } from "./handshake_pace.ts";
import { Handshakes } from "./handshakes.ts";
import { DEFAULT_LIMITS, type ServerLimits } from "./limits.ts";
import { type ListenAddress, Listener, type ServerCredentials } from "./listener.ts";
import { ownServerCounters, type ServerCounters } from "./server_counters.ts";

export interface ServerOptions {
  readonly credentials: ServerCredentials;
  readonly listen: readonly ListenAddress[];
  readonly keystore: Keystore;
  readonly log: ServerLog;
  readonly metrics: ServerMetrics;
  /** Undefined where requests are not traced. */
  readonly tracer?: Tracer | undefined;
  readonly limits?: Partial<ServerLimits>;
  /** This server's row of those that its workers share; left out, it is alone. */
  readonly counters?: ServerCounters;
  /**
   * A connection was admitted above the limit for which only another worker can make room: the one
   * with most handshakes is to call `cutOldestHandshake`.
   */
  readonly cutElsewhere?: () => void;
}

/**
 * Starts a key server.
 *
 * @throws KeylessError "LISTEN"; nothing listens then
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const server = new Server(options);
  try {
    for (const address of options.listen) await server.listen(address);
  } catch (error) {
    await server.drain(0);
    throw error;
  }
  return server;
}

/** Listeners and the connections that came through them. */
export class Server {
  readonly #options: ServerOptions;
  readonly #limits: ServerLimits;
  readonly #listeners: Listener[] = [];
  readonly #connections = new Set<Connection>();
  readonly #counters: ServerCounters;
  readonly #pace: HandshakePace;
  readonly #handshakes: Handshakes;
  #emptied: (() => void) | undefined;
  #draining = false;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#counters = options.counters ?? ownServerCounters();
    this.#pace = new HandshakePace(threadCpuClock());
    this.#handshakes = new Handshakes({
      handshakeMs: this.#limits.handshakeMs,
      pace: this.#pace,
      counters: this.#counters,
    });
    options.metrics.watchServer(() => this.gauges());
  }

  /** What it listens on, for the log. */
  get addresses(): readonly string[] {
    return this.#listeners.map((listener) => listener.address);
  }

  /** The TCP port of the first listener that has one. */
  get port(): number | undefined {
    return this.#listeners.find((listener) => listener.port !== undefined)?.port;
  }

  /** Open connections, those in their handshake included. */
  get connections(): number {
    return this.#handshakes.size + this.#connections.size;
  }

  /** Whether it stops, or has stopped. */
  get isDraining(): boolean {
    return this.#draining;
  }

  /** What it holds at the moment. Walks over all connections: to be asked for now and then. */
  gauges(): ServerGauges {
    const nowMs = performance.now();
    let [inFlight, waiting, unsentBytes] = [0, 0, 0];
    let [oldestInFlight, oldestWaiting] = [nowMs, nowMs];
    for (const connection of this.#connections) {
      const load = connection.load();
      inFlight += load.inFlight;
      waiting += load.waiting;
      unsentBytes += load.unsentBytes;
      oldestInFlight = Math.min(oldestInFlight, load.oldestInFlightMs);
      oldestWaiting = Math.min(oldestWaiting, load.oldestWaitingMs);
    }
    return {
      handshaking: this.#handshakes.size,
      established: this.#connections.size,
      maxConnections: this.#limits.maxConnections,
      inFlight,
      oldestInFlightMs: nowMs - oldestInFlight,
      waiting,
      oldestWaitingMs: nowMs - oldestWaiting,
      unsentBytes,
    };
  }

  async listen(address: ListenAddress): Promise<void> {
    const idleMs = "path" in address ? this.#limits.unixIdleMs : this.#limits.idleMs;
    const listener = new Listener({
      credentials: this.#options.credentials,
      log: this.#options.log,
      metrics: this.#options.metrics,
      handshakes: this.#handshakes,
      admits: () => this.#makesRoom(),
      accept: (socket, client, tlsVersion) => this.#accept(socket, client, tlsVersion, idleMs),
    });
    this.#listeners.push(listener);
    await listener.listen(address);
  }

  /**
   * Stops accepting, answers what is in flight, closes every connection. Requests that are on their
   * way when it begins are still read, for a moment: their clients could not know.
   *
   * @returns how many requests were cut because `timeoutMs` had passed
   */
  async drain(timeoutMs: number): Promise<number> {
    this.#draining = true;
    this.closeListeners();
    const graceMs = Math.min(DRAIN_GRACE_MS, timeoutMs);
    await this.#emptyWithin(graceMs);
    for (const connection of this.#connections) connection.drain();
    await this.#emptyWithin(timeoutMs - graceMs);
    let cut = 0;
    for (const connection of this.#connections) {
      cut += connection.inFlight;
      connection.destroy();
    }
    return cut;
  }

  /**
   * Accepts nothing more, and removes the sockets' files that it has made; handshakes are cut, and
   * established connections live on.
   */
  closeListeners(): void {
    for (const listener of this.#listeners) listener.close();
    this.#handshakes.cutAll();
  }

  /**
   * Cuts a handshake for a newcomer of another worker, as `Handshakes.cutOldest` chooses it.
   *
   * @returns false where none is under way here
   */
  cutOldestHandshake(): boolean {
    return this.#handshakes.cutOldest();
  }

  /**
   * Whether one more connection may come. Who has not proved who he is gives way: otherwise strangers
   * could keep everybody out by being silent. Workers that meet the limit in the same moment may go
   * above it by one each, for as long as a message takes from one to the other.
   */
  #makesRoom(): boolean {
    const handshaking = this.#counters.sum("handshaking");
    const connections = handshaking + this.#counters.sum("established");
    if (connections < this.#limits.maxConnections) return true;
    if (this.#handshakes.cutOldest()) return true;
    if (handshaking === 0 || this.#options.cutElsewhere === undefined) return false;
    this.#options.cutElsewhere();
    return true;
  }

  #accept(socket: TLSSocket, client: ClientIdentity, tlsVersion: string, idleMs: number): void {
    const { keystore, log, metrics, tracer } = this.#options;
    if (this.#draining || socket.destroyed) {
      socket.destroy();
      return;
    }
    log.connected(client, tlsVersion);
    const sinceMs = performance.now();
    const options = {
      ...{ keystore, log, metrics, tracer, client, idleMs },
      ...{ limits: this.#limits, counters: this.#counters, pace: this.#pace },
    };
    const connection = new Connection(socket, options, () => {
      this.#connections.delete(connection);
      this.#counters.add("established", -1);
      metrics.connectionClosed(performance.now() - sinceMs);
      if (this.#connections.size === 0) this.#emptied?.();
    });
    this.#connections.add(connection);
    this.#counters.add("established", 1);
  }

  async #emptyWithin(timeoutMs: number): Promise<void> {
    if (this.#connections.size === 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#emptied = resolve;
      timer = setTimeout(resolve, timeoutMs);
    });
    clearTimeout(timer);
  }
}

/** How long a drain goes on reading. */
const DRAIN_GRACE_MS = 100;
