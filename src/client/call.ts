import { KeylessError } from "../errors/errors.ts";
import { OP_ERROR } from "../protocol/opcodes.ts";
import type { Operation } from "../protocol/operation.ts";
import type { Deadlines, Expiring } from "./deadlines.ts";
import { ServerError, TransportError } from "./errors.ts";

/** What a caller may say of one request. */
export interface RequestOptions {
  /**
   * Milliseconds that the request may take in all, its second attempt included; 0 or less is a
   * deadline that has passed.
   */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Whoever holds a call until it is answered: a connection, or a client that opens one. */
export interface Carrier {
  /** Forgets a call that nobody waits for any more. */
  giveUp(call: Call): void;
}

/** Everything that a call needs besides its operation. */
export interface CallSetting {
  /** The server's name, for messages. */
  readonly server: string;
  readonly deadlines: Deadlines;
  /** How often the call may be carried. */
  readonly attempts: number;
  /** Hands the call to a carrier; also for its second attempt. */
  readonly carry: (call: Call) => void;
}

/**
 * One request on its way: one promise, whatever number of connections it takes. Ends exactly once:
 * answered, failed, past its deadline, or aborted.
 */
export class Call implements Expiring {
  readonly operation: Operation;
  readonly deadlineMs: number;
  readonly timeoutMs: number;
  /** The carrier's own notes: who has the call, and the id that it was sent under. */
  carrier: Carrier | undefined;
  id = 0;

  readonly #setting: CallSetting;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (reply: Operation) => void;
  readonly #reject: (error: unknown) => void;
  #attemptsLeft: number;

  /** Use `startCall`. */
  constructor(
    operation: Operation,
    setting: CallSetting,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    resolve: (reply: Operation) => void,
    reject: (error: unknown) => void,
  ) {
    this.operation = operation;
    this.deadlineMs = performance.now() + timeoutMs;
    this.#setting = setting;
    this.timeoutMs = timeoutMs;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#attemptsLeft = setting.attempts;
  }

  start(): void {
    if (this.#signal?.aborted) return this.#reject(this.#aborted());
    this.#signal?.addEventListener("abort", this);
    this.#setting.deadlines.add(this);
    this.#carry();
  }

  /** The carrier has the answer. */
  answered(reply: Operation): void {
    this.#end();
    if (reply.opcode === OP_ERROR) {
      const [wireCode] = reply.payload!;
      this.#reject(new ServerError(wireCode!, this.#setting.server, this.operation.ski));
      return;
    }
    try {
      this.#resolve(reply);
    } catch (error) {
      this.#reject(error);
    }
  }

  /** The carrier will not bring an answer. A transport error may be worth another attempt. */
  failed(error: KeylessError): void {
    this.carrier = undefined;
    if (error instanceof TransportError && this.#attemptsLeft > 0) return this.#carry();
    this.#end();
    this.#reject(error);
  }

  /** The deadline has passed. */
  expire(): void {
    this.#giveUp(
      new KeylessError(
        "DEADLINE",
        `no answer from ${this.#setting.server} within ${this.timeoutMs} ms; ` +
          "the server is overloaded, or the time too short",
      ),
    );
  }

  /** The signal was aborted. */
  handleEvent(): void {
    this.#giveUp(this.#aborted());
  }

  #carry(): void {
    this.#attemptsLeft--;
    this.#setting.carry(this);
  }

  #giveUp(error: KeylessError): void {
    this.carrier?.giveUp(this);
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    this.carrier = undefined;
    this.#setting.deadlines.delete(this);
    this.#signal?.removeEventListener("abort", this);
  }

  #aborted(): KeylessError {
    return new KeylessError(
      "ABORTED",
      `the request to ${this.#setting.server} was given up by its caller`,
      { cause: this.#signal?.reason },
    );
  }
}

/**
 * Starts a request, and gives the promise of what `read` makes of its answer. `read` may throw: the
 * promise is rejected with that. The operation's bytes are copied before this returns.
 *
 * @param read gets the answer, and the operation as it was sent
 * @throws KeylessError "USAGE", by the promise, for a timeout that is none
 */
export function startCall<T>(
  operation: Operation,
  setting: CallSetting,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  read: (reply: Operation, sent: Operation) => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (Number.isNaN(timeoutMs)) {
      throw new KeylessError("USAGE", `timeoutMs is a number of milliseconds, not ${timeoutMs}`);
    }
    const sent = copyOf(operation);
    const readAndResolve = (reply: Operation) => resolve(read(reply, sent));
    new Call(sent, setting, timeoutMs, signal, readAndResolve, reject).start();
  });
}

/** The caller may use its buffers again while the request waits for a connection. */
function copyOf(operation: Operation): Operation {
  const fields = Object.entries(operation).map(([field, value]) => {
    return [field, value instanceof Uint8Array ? new Uint8Array(value) : value];
  });
  return Object.fromEntries(fields);
}
