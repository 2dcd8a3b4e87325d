/** What clients may take of the server, and how long anything may last. */
export interface ServerLimits {
  /**
   * Connections at once over all listeners of all workers, those in their handshake included. At the
   * limit a handshake gives way to a newcomer.
   */
  readonly maxConnections: number;
  /** Requests of one connection that are read and not yet answered to the last byte. */
  readonly maxInFlight: number;
  /** Reply bytes of one connection that its client has not taken; reading waits above it. */
  readonly maxUnflushedBytes: number;
  /** The same of all connections of all workers together. */
  readonly maxUnflushedBytesInAll: number;
  /**
   * How long a handshake may last, and how long it may wait for its turn where many come at once:
   * while requests are served, handshakes take a quarter of a worker's time.
   */
  readonly handshakeMs: number;
  /** From when a request is read: what has not begun by then is not begun at all. */
  readonly signTimeoutMs: number;
  /** Further attempts at an operation that failed for a reason which may pass. */
  readonly signRetries: number;
  /** Without a whole request, nothing outstanding: the connection is closed. */
  readonly idleMs: number;
  readonly unixIdleMs: number;
  /** Replies wait, and the client takes less than 16 KiB of them: the connection is cut. */
  readonly writeStallMs: number;
  /** How long a closing connection waits for its client to close as well. */
  readonly lingerMs: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  maxConnections: 10_000,
  maxInFlight: 1_024,
  maxUnflushedBytes: 131_072,
  maxUnflushedBytesInAll: 134_217_728,
  handshakeMs: 10_000,
  signTimeoutMs: 10_000,
  signRetries: 0,
  idleMs: 30_000,
  unixIdleMs: 3_600_000,
  writeStallMs: 30_000,
  lingerMs: 2_000,
};
