/** What the peers of one HTTP port may take of the server, and how long anything may last. */
export interface HttpLimits {
  /**
   * At once. At the limit newcomers wait, until one goes, or the oldest gives way that has had
   * `graceMs` and is not being answered.
   */
  readonly maxConnections: number;
  /** Connections that wait for that; those beyond are cut. */
  readonly maxWaiting: number;
  readonly graceMs: number;
  /**
   * Connections that are begun, on average and after a quiet time at once; newcomers beyond wait. It
   * bounds what strangers' handshakes take of those who want signatures.
   */
  readonly startsPerSecond: number;
  readonly startsAtOnce: number;
  /** Request line and header together. */
  readonly maxHeaderBytes: number;
  /** From the connection's acceptance to the end of the request's header, its handshake included. */
  readonly requestMs: number;
  /** How long the peer may take to read the response. */
  readonly responseMs: number;
}

export const HTTP_LIMITS: HttpLimits = {
  maxConnections: 64,
  maxWaiting: 192,
  graceMs: 500,
  startsPerSecond: 100,
  startsAtOnce: 32,
  maxHeaderBytes: 8_192,
  requestMs: 10_000,
  responseMs: 30_000,
};
