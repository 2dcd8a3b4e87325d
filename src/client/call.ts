import { KeylessError } from "../errors/errors.ts";
import { OP_ERROR } from "../protocol/opcodes.ts";
import type { Operation } from "../protocol/operation.ts";
import type { Deadlines, Expiring } from "./deadlines.ts";
import { ServerError, TransportError } from "./errors.ts";

/** What a caller may say of one request. */
export interface RequestOptions {
  /** Milliseconds that the request may take in all, its second attempt included. */
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
  /** The carrier's own notes: who has the call, and the id that it was sent under. */
  carrier: Carrier | undefined;
  id = 0;

  readonly #setting: CallSetting;
  readonly #timeoutMs: number;
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
    this.#timeoutMs = timeoutMs;
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
        `no answer from ${this.#setting.server} within ${this.#timeoutMs} ms; ` +
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
 * promise is rejected with that.
 */
export function startCall<T>(
  operation: Operation,
  setting: CallSetting,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  read: (reply: Operation) => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const readAndResolve = (reply: Operation) => resolve(read(reply));
    new Call(operation, setting, timeoutMs, signal, readAndResolve, reject).start();
  });
}
