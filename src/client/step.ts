import { clearTimeout, setTimeout } from "node:timers";
import { KeylessError } from "../errors/errors.ts";
import { MAX_TIMER_MS } from "./deadlines.ts";
import { type Endpoint, endpointText } from "./endpoint.ts";

/** How long a connection may take to come about, and who may give it up. */
export interface Patience {
  readonly endpoint: Endpoint;
  /** For all steps together; for messages. */
  readonly timeoutMs: number;
  /** When that time is over, on the clock of `performance.now()`. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Step<T> {
  readonly start: (done: (value: T) => void, fail: (error: unknown) => void) => void;
  /** Lets go of what `start` began, after anything but success. */
  readonly stop?: () => void;
  readonly late: (timeoutMs: number) => KeylessError;
}

/** A step that ends by itself, at the deadline, or with the signal: whichever comes first. */
export function withinTime<T>(patience: Patience, step: Step<T>): Promise<T> {
  const { signal, timeoutMs, deadlineMs } = patience;
  return new Promise<T>((resolve, reject) => {
    let ended = false;
    const end = () => {
      ended = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    };
    const fail = (error: unknown) => {
      if (ended) return;
      end();
      step.stop?.();
      reject(error);
    };
    const abort = () => fail(abortedError(patience));
    const leftMs = Math.min(Math.max(1, Math.ceil(deadlineMs - performance.now())), MAX_TIMER_MS);
    const timer = setTimeout(() => fail(step.late(timeoutMs)), leftMs);
    if (signal?.aborted) return abort();
    signal?.addEventListener("abort", abort);
    step.start((value) => {
      if (ended) return;
      end();
      resolve(value);
    }, fail);
  });
}

function abortedError({ endpoint, signal }: Patience): KeylessError {
  return new KeylessError("ABORTED", `connecting to ${endpointText(endpoint)} was given up`, {
    cause: signal?.reason,
  });
}
