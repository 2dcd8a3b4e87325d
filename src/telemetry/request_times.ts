/**
 * When the steps of one request were, on the clock of `performance.now()`, in milliseconds: each is
 * written down as it happens, for metrics and traces to read when the request is over. 0 is a step
 * that has not come, or that the request does not have.
 */
export class RequestTimes {
  /** Its connection had received it whole; no later than this. */
  readonly receivedMs: number;
  /** It had a slot, and its work began. */
  readonly startedMs: number;
  lookupStartedMs = 0;
  lookupEndedMs = 0;
  /** Its response was made. */
  answeredMs = 0;

  constructor(receivedMs: number, startedMs: number) {
    this.receivedMs = receivedMs;
    this.startedMs = startedMs;
  }
}
