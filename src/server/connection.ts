import type { TLSSocket } from "node:tls";
import { FormatError, messageOf } from "../errors/errors.ts";
import type { ClientIdentity, Keystore, RequestContext } from "../keystore/keystore.ts";
import { WIRE_ERRORS, type WireError } from "../protocol/errors.ts";
import { Framer } from "../protocol/framer.ts";
import { decodeOperation, type Operation, withOwnBytes } from "../protocol/operation.ts";
import { draftPacket, type Packet, type PacketDraft, VERSION_MAJOR } from "../protocol/packet.ts";
import { cutConnection, pauseReading, resumeReading } from "../runtime/socket.ts";
import { afterOthers } from "../runtime/turn.ts";
import { RequestTimes } from "../telemetry/request_times.ts";
import type { ServerLog } from "../telemetry/server_log.ts";
import type { ServerMetrics } from "../telemetry/server_metrics.ts";
import type { RequestSpan, Tracer } from "../telemetry/tracing/tracer.ts";
import { type Answer, dispatch, errorAnswer, type RetryPolicy } from "./dispatch.ts";
import type { HandshakePace } from "./handshake_pace.ts";
import type { ServerLimits } from "./limits.ts";
import { Outbox } from "./outbox.ts";
import type { ServerCounters } from "./server_counters.ts";

export interface ConnectionOptions {
  readonly client: ClientIdentity;
  readonly keystore: Keystore;
  readonly limits: ServerLimits;
  readonly idleMs: number;
  readonly counters: ServerCounters;
  /** Is told when requests are worked on. */
  readonly pace: HandshakePace;
  readonly log: ServerLog;
  readonly metrics: ServerMetrics;
  readonly tracer?: Tracer | undefined;
}

/** A request whose reply is made. */
interface Answered {
  readonly times: RequestTimes;
  readonly opcode: number | undefined;
  readonly error: WireError;
  readonly span: RequestSpan | undefined;
}

/** What one connection holds at the moment. */
export interface ConnectionLoad {
  readonly inFlight: number;
  /** On the clock of `performance.now()`; Infinity where nothing is in flight. */
  readonly oldestInFlightMs: number;
  /** Whole requests that wait for a slot. */
  readonly waiting: number;
  /** All of them were here by then; Infinity where none waits. */
  readonly oldestWaitingMs: number;
  /** Of replies. */
  readonly unsentBytes: number;
}

/**
 * One client's connection, from its handshake to its end.
 *
 * Requests are read one after the other and answered in any order. Each holds a slot from when it is
 * read until the last byte of its reply has left for the kernel; without a free slot, or with too
 * many reply bytes that the client has not taken, nothing more is read. After some milliseconds of
 * work the other connections have their turn.
 */
export class Connection {
  readonly client: ClientIdentity;
  readonly #socket: TLSSocket;
  readonly #options: ConnectionOptions;
  readonly #framer = new Framer();
  readonly #outbox: Outbox<Answered>;
  /** Requests whose answers are awaited. */
  readonly #awaited = new Set<RequestTimes>();
  readonly #abort = new AbortController();
  readonly #retries: RetryPolicy;
  #state: "open" | "inputEnded" | "draining" | "closing" | "closed" = "open";
  #inFlight = 0;
  #isPumping = false;
  #isPaused = false;
  #lastRequestMs = performance.now();
  #lastChunkMs = 0;
  #timer: ReturnType<typeof setTimeout>;

  /** Takes the socket over; `closed` is called once, when nothing of it is left. */
  constructor(socket: TLSSocket, options: ConnectionOptions, closed: () => void) {
    this.#socket = socket;
    this.#options = options;
    this.client = options.client;
    this.#retries = {
      attempts: options.limits.signRetries,
      onRetry: () => options.metrics.signRetried(),
    };
    this.#outbox = new Outbox(
      socket,
      options.counters,
      (requests: readonly Answered[], bytes) => this.#flushed(requests, bytes),
    );
    this.#timer = setTimeout(() => this.#check(), this.#checkEveryMs());
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.on("end", () => this.#inputEnd());
    socket.on("error", (error: Error) => this.#fail(error.message));
    socket.on("close", () => {
      this.#state = "closed";
      clearTimeout(this.#timer);
      for (const { span, times } of this.#outbox.requests()) span?.end(times, undefined);
      this.#outbox.discard();
      this.#abort.abort();
      closed();
    });
  }

  /** Requests that are read and not yet answered to the last byte; what was cut stays counted. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** What it holds, for metrics: to be asked for now and then. */
  load(): ConnectionLoad {
    let oldestInFlightMs = Infinity;
    for (const { startedMs } of this.#awaited) {
      oldestInFlightMs = Math.min(oldestInFlightMs, startedMs);
    }
    for (const { times } of this.#outbox.requests()) {
      oldestInFlightMs = Math.min(oldestInFlightMs, times.startedMs);
    }
    const waiting = this.#framer.countWhole();
    return {
      inFlight: this.#inFlight,
      oldestInFlightMs,
      waiting,
      oldestWaitingMs: waiting === 0 ? Infinity : this.#lastChunkMs,
      unsentBytes: this.#outbox.bytes,
    };
  }

  /** Answers what has been read, reads nothing more, then closes. */
  drain(): void {
    if (this.#state !== "open" && this.#state !== "inputEnded") return;
    this.#state = "draining";
    this.#closeWhenDone();
  }

  /** Ends the connection at once; what is outstanding is lost. */
  destroy(): void {
    cutConnection(this.#socket);
  }

  #receive(chunk: Uint8Array): void {
    this.#options.metrics.bytesReceived(chunk.length);
    if (this.#state !== "open") return; // it is closing: read and forgotten, so that the end is seen
    this.#lastChunkMs = performance.now();
    try {
      this.#framer.push(chunk);
    } catch (error) {
      return this.#fail(messageOf(error));
    }
    this.#pump();
  }

  /** Reads packets while there are slots and time, then writes in one piece what they were answered. */
  #pump(): void {
    if (this.#isPumping || this.#state === "closing" || this.#state === "closed") return;
    this.#isPumping = true;
    const { pace } = this.#options;
    const beganMs = performance.now();
    pace.requestsBegin(beganMs);
    let isSliceOver = false;
    let hasWorked = false;
    while (!isSliceOver && this.#hasRoom()) {
      const packet = this.#framer.next();
      if (packet === undefined) break;
      hasWorked = true;
      this.#handle(packet);
      this.#lastRequestMs = performance.now();
      isSliceOver = this.#lastRequestMs - beganMs >= SLICE_MS && this.#framer.heldBytes > 0;
    }
    this.#outbox.flush();
    pace.requestsEnd(performance.now(), hasWorked);
    if (isSliceOver) afterOthers(() => this.#pumpOn());
    else this.#isPumping = false;
    this.#pauseOrResume();
  }

  /** After the turn of the others. */
  #pumpOn(): void {
    this.#isPumping = false;
    this.#pump();
    this.#closeWhenDone();
  }

  #hasRoom(): boolean {
    const { limits, counters } = this.#options;
    if (this.#inFlight >= limits.maxInFlight) return false;
    const { bytes } = this.#outbox;
    // where all connections together hold too much, each goes on with a reply or two at a time
    return bytes < limits.maxUnflushedBytes &&
      (bytes === 0 || counters.sum("unsentKib") * 1_024 < limits.maxUnflushedBytesInAll);
  }

  #pauseOrResume(): void {
    if (this.#state !== "open") return;
    const isFull = this.#isPumping || !this.#hasRoom();
    if (isFull === this.#isPaused) return;
    this.#isPaused = isFull;
    if (isFull) pauseReading(this.#socket);
    else resumeReading(this.#socket);
  }

  #handle(packet: Packet): void {
    this.#inFlight += 1;
    const { id } = packet;
    const { keystore, metrics, pace, tracer } = this.#options;
    const times = new RequestTimes(this.#lastChunkMs, performance.now());
    const operation = readOperation(packet);
    if ("error" in operation) {
      metrics.received(undefined);
      return this.#answer(id, {}, operation, times);
    }
    metrics.received(operation.opcode);
    const span = tracer?.start(times, operation, this.client);
    const context = this.#contextOf(packet, operation, times, span);
    const answer = dispatch(operation, keystore, context, times, this.#retries);
    if (answer instanceof Promise) {
      const kept = withOwnBytes(operation);
      this.#awaited.add(times);
      answer.then((late) => {
        pace.requestsBegin(performance.now());
        this.#awaited.delete(times);
        this.#answer(id, kept, late, times, span);
        this.#outbox.flushSoon();
        pace.requestsEnd(performance.now(), true);
      });
    } else {
      this.#answer(id, operation, answer, times, span);
    }
  }

  #contextOf(
    packet: Packet,
    operation: Operation,
    times: RequestTimes,
    span: RequestSpan | undefined,
  ): RequestContext {
    return {
      client: this.client,
      deadlineMs: times.startedMs + this.#options.limits.signTimeoutMs,
      signal: this.#abort.signal,
      heldBytes: packet.body.length,
      span: span?.carrier ?? operation.span?.slice(),
      forwarded: false,
    };
  }

  #answer(
    id: number,
    operation: Operation,
    answer: Answer,
    times: RequestTimes,
    span?: RequestSpan,
  ): void {
    times.answeredMs = performance.now();
    if (answer.shed === "closed" && this.#socket.destroyed) return span?.end(times, undefined);
    let sent = answer;
    let reply: PacketDraft;
    try {
      reply = draftPacket(id, { opcode: answer.opcode, payload: answer.payload });
    } catch (error) { // a signer's result that no packet can carry
      sent = errorAnswer(WIRE_ERRORS.INTERNAL, messageOf(error));
      reply = draftPacket(id, { opcode: sent.opcode, payload: sent.payload });
    }
    const { opcode } = operation;
    const { error } = sent;
    this.#options.metrics.executed(times, opcode, error);
    this.#options.log.request(this.client, id, operation, sent);
    span?.answered(error, sent.reason);
    if (this.#state === "closed") return span?.end(times, undefined);
    this.#outbox.add(reply, { times, opcode, error, span });
  }

  #flushed(requests: readonly Answered[], bytes: number): void {
    const { metrics } = this.#options;
    const nowMs = performance.now();
    for (const { times, opcode, error, span } of requests) {
      metrics.replied(times, opcode, error, nowMs);
      span?.end(times, nowMs);
    }
    metrics.bytesSent(bytes);
    this.#inFlight -= requests.length;
    this.#pump();
    this.#closeWhenDone();
  }

  #inputEnd(): void {
    if (this.#state !== "open") return;
    this.#state = "inputEnded";
    this.#closeWhenDone();
  }

  /** After the last request: what still waits in the framer is answered as slots come free. */
  #closeWhenDone(): void {
    if (this.#state !== "inputEnded" && this.#state !== "draining") return;
    this.#pump();
    if (this.#inFlight > 0 || this.#isPumping) return;
    if (this.#state === "inputEnded" && this.#framer.heldBytes > 0) {
      this.#reportFailure("it ended in the middle of a request");
    }
    this.#close();
  }

  /** Says goodbye, and waits a little for the client's own: a reply in its mail is not torn. */
  #close(): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#state = "closing";
    this.#socket.end();
    if (this.#isPaused) resumeReading(this.#socket);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.destroy(), this.#options.limits.lingerMs);
  }

  #fail(reason: string): void {
    if (this.#state === "closed") return;
    const wasClosing = this.#state === "closing";
    this.#state = "closing";
    if (!wasClosing) this.#reportFailure(reason || "it was lost");
    cutConnection(this.#socket);
  }

  #reportFailure(reason: string): void {
    this.#options.metrics.connectionFailed();
    this.#options.log.connectionFailed(this.client, reason);
  }

  /** Cuts a client that takes no replies, closes one that asks nothing. */
  #check(): void {
    const now = performance.now();
    const { limits, idleMs, metrics } = this.#options;
    const { bytes, lastProgressMs } = this.#outbox;
    if (bytes > 0 && now - lastProgressMs >= limits.writeStallMs) {
      metrics.connectionTimedOut("write");
      return this.#fail(`it took next to none of its replies for ${limits.writeStallMs / 1_000} s`);
    }
    const lastUseMs = Math.max(this.#lastRequestMs, lastProgressMs);
    if (this.#inFlight === 0 && now - lastUseMs >= idleMs) {
      metrics.connectionTimedOut("idle");
      return this.#close();
    }
    this.#timer = setTimeout(() => this.#check(), this.#checkEveryMs());
  }

  #checkEveryMs(): number {
    const { limits, idleMs } = this.#options;
    return Math.max(10, Math.min(idleMs, limits.writeStallMs) / CHECKS_PER_LIMIT);
  }
}

/** What a packet asks for, or the answer to one that cannot be understood. */
function readOperation(packet: Packet): Operation | Answer {
  if (packet.major !== VERSION_MAJOR) {
    const reason = `version ${packet.major}.${packet.minor}; this server speaks ${VERSION_MAJOR}`;
    return errorAnswer(WIRE_ERRORS.VERSION, reason);
  }
  try {
    return decodeOperation(packet.body);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return errorAnswer(WIRE_ERRORS.FORMAT, error.message);
  }
}

/** A connection works so long before the others have their turn. */
const SLICE_MS = 5;

/** A limit of time is kept to within this part of itself. */
const CHECKS_PER_LIMIT = 10;
