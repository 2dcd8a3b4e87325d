import type { WireError } from "../../protocol/errors.ts";
import type { Operation } from "../../protocol/operation.ts";
import type { RequestTimes } from "../request_times.ts";
import type { LoggedClient } from "../server_log.ts";

/**
 * Traces the requests of a server. What a request is made of comes from its `RequestTimes` when it
 * is over: until then a trace costs its identity alone.
 */
export interface Tracer {
  /**
   * Begins the span of a request that has been decoded; undefined where the request is not sampled.
   * The operation's own span item is the parent; a broken one is ignored.
   */
  start(
    times: RequestTimes,
    operation: Operation,
    client: LoggedClient,
  ): RequestSpan | undefined;

  /** Sends what is waiting, for a second at most, and ends. Never rejects. */
  stop(): Promise<void>;
}

/** The span of one request. None of its methods throws. */
export interface RequestSpan {
  /** The span item of a request that is passed on: this span as the parent, in binary form. */
  readonly carrier: Uint8Array;

  /** The answer is made: what it was; `reason` in words for the operator. */
  answered(error: WireError, reason?: string): void;

  /**
   * The request is over.
   *
   * @param writtenMs when the last byte of the answer had left, on the clock of `times`; undefined
   *   where the connection was lost before
   */
  end(times: RequestTimes, writtenMs: number | undefined): void;
}
