import { KeylessError, messageOf } from "../errors/errors.ts";
import type { ErrorCode } from "../errors/table.ts";

/** What a thread answers: names of questions, what is asked with them, what comes back. */
export type Questions = Readonly<Record<string, (asked: never) => unknown>>;

/** Either end of a channel to another thread: a Worker, its parentPort, a MessagePort. */
export interface Channel {
  postMessage(message: unknown, transfer?: readonly never[]): void;
  on(event: "message", listener: (message: unknown) => void): unknown;
}

/**
 * Asks another thread, which answers with `answerQuestions`. Both leave other messages of the channel
 * alone.
 */
export class Asker<Answers extends Questions> {
  readonly #channel: Channel;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #nextId = 0;
  #ended: string | undefined;

  constructor(channel: Channel) {
    this.#channel = channel;
    channel.on("message", (message) => {
      const answer = (message as { readonly answer?: Answer } | null | undefined)?.answer;
      if (answer === undefined) return;
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ("error" in answer) waiting?.reject(errorOf(answer));
      else waiting?.resolve(answer.value);
    });
  }

  /**
   * @param timeoutMs more than a timer takes, some 24 days, is as much as that
   * @throws Error with the message of what the other thread threw, a KeylessError where that was one;
   *   or when it has ended, or has not answered in time; DOMException for what cannot be sent. All of
   *   them are rejections
   */
  ask<Name extends keyof Answers & string>(
    name: Name,
    asked: Parameters<Answers[Name]>[0],
    timeoutMs = Infinity,
  ): Promise<Awaited<ReturnType<Answers[Name]>>> {
    if (this.#ended !== undefined) return Promise.reject(new Error(this.#ended));
    const id = this.#nextId++;
    const waiting = Promise.withResolvers<unknown>();
    try {
      this.#channel.postMessage({ question: { id, name, asked } satisfies Question });
    } catch (thrown) {
      return Promise.reject(thrown);
    }
    this.#waiting.set(id, waiting);
    const timer = timeoutMs === Infinity ? undefined : setTimeout(() => {
      this.#waiting.delete(id);
      waiting.reject(new Error(`the thread did not answer within ${timeoutMs / 1_000} s`));
    }, Math.min(timeoutMs, MAX_TIMER_MS));
    return waiting.promise.finally(() => clearTimeout(timer)) as never;
  }

  /** The other thread is gone: what waits is rejected, and so is what is asked from here on. */
  end(): void {
    this.#ended = "the thread has ended";
    for (const { reject } of this.#waiting.values()) reject(new Error(this.#ended));
    this.#waiting.clear();
  }
}

/** Answers what the other side of the channel asks. */
export function answerQuestions<Answers extends Questions>(
  channel: Channel,
  answers: Answers,
): void {
  channel.on("message", async (message) => {
    const question = (message as { readonly question?: Question } | null | undefined)?.question;
    if (question === undefined) return;
    const { id } = question;
    const post = (answer: Answer) => channel.postMessage({ answer });
    try {
      post({ id, value: await answers[question.name]!(question.asked as never) });
    } catch (thrown) { // an answer that cannot be sent, too
      const error = messageOf(thrown);
      post(thrown instanceof KeylessError ? { id, error, code: thrown.code } : { id, error });
    }
  });
}

/** What an `Asker` has sent. */
export interface Question {
  readonly id: number;
  readonly name: string;
  readonly asked: unknown;
}

type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string; readonly code?: ErrorCode };

function errorOf({ error, code }: { readonly error: string; readonly code?: ErrorCode }): Error {
  return code === undefined ? new Error(error) : new KeylessError(code, error);
}

/** Longer timers fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
