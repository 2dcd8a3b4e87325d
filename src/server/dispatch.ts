import { KeylessError, messageOf } from "../errors/errors.ts";
import type { ErrorCode } from "../errors/table.ts";
import type { Keystore, RequestContext, Signer } from "../keystore/keystore.ts";
import { WIRE_ERRORS, type WireError } from "../protocol/errors.ts";
import {
  OP_ERROR,
  OP_PONG,
  OP_RESPONSE,
  type Opcode,
  opcodeOf,
  type SignOpcodeScheme,
} from "../protocol/opcodes.ts";
import type { Operation } from "../protocol/operation.ts";
import type { RequestTimes } from "../telemetry/request_times.ts";
import type { ShedReason } from "../threads/signing_queue.ts";

/** What goes back to the client, and for the log what went wrong. */
export interface Answer {
  readonly opcode: number;
  readonly payload: Uint8Array | undefined;
  /** `WIRE_ERRORS.NONE` for a success. */
  readonly error: WireError;
  /** Why, in words for the operator; the client learns the error's one byte alone. */
  readonly reason: string | undefined;
  /** Why the request was given up though nothing is wrong with it: the server has too much to do. */
  readonly shed: ShedReason | undefined;
}

/** Where an operation failed for a reason that may pass, it is tried again. */
export interface RetryPolicy {
  /** Attempts after the first, each before the request's deadline. */
  readonly attempts: number;
  /** Told of each of them. */
  readonly onRetry: () => void;
}

/**
 * Carries a request out. Synchronous where key lookup and signer are, so that a fast operation is
 * answered where it was read. Never throws, never rejects: what fails is an answer with an error.
 *
 * What each input is answered with: docs/protocol.md, "Replies, case by case".
 *
 * @param times takes when the key was looked for
 */
export function dispatch(
  operation: Operation,
  keystore: Keystore,
  context: RequestContext,
  times: RequestTimes,
  retries: RetryPolicy,
): Answer | Promise<Answer> {
  const row = operation.opcode === undefined ? undefined : opcodeOf(operation.opcode);
  if (row === undefined) return errorAnswer(WIRE_ERRORS.BAD_OPCODE, "no opcode that is known");
  switch (row.kind) {
    case "ping":
      return success(OP_PONG, operation.payload);
    case "sign":
    case "decrypt":
      return useKey({ row, context, retries }, operation, keystore, times);
    case "seal":
    case "unseal":
      return errorAnswer(WIRE_ERRORS.INTERNAL, "this server seals no tickets");
    case "rpc":
      return errorAnswer(WIRE_ERRORS.INTERNAL, "this server has no remote procedures");
    case "custom":
      return errorAnswer(WIRE_ERRORS.BAD_OPCODE, "this server has no custom functions");
    case "reply":
      return errorAnswer(WIRE_ERRORS.UNEXPECTED_OPCODE, "a reply's opcode in a request");
  }
}

export function errorAnswer(error: WireError, reason: string, shed?: ShedReason): Answer {
  return { opcode: OP_ERROR, payload: Uint8Array.of(error.code), error, reason, shed };
}

/** What is done with a key, for whom. */
interface KeyUse {
  readonly row: Extract<Opcode, { readonly kind: "sign" | "decrypt" }>;
  readonly context: RequestContext;
  readonly retries: RetryPolicy;
}

function useKey(
  use: KeyUse,
  operation: Operation,
  keystore: Keystore,
  times: RequestTimes,
): Answer | Promise<Answer> {
  const { payload = EMPTY } = operation;
  times.lookupStartedMs = performance.now();
  try {
    const signer = keystore.find(operation, use.context);
    if (signer instanceof Promise) {
      const kept = payload.slice();
      return signer
        .finally(() => times.lookupEndedMs = performance.now())
        .then((found) => isWanted(use) ? runSigner(found, use, kept) : givenUp(use))
        .catch(failed);
    }
    times.lookupEndedMs = performance.now();
    return runSigner(signer, use, payload);
  } catch (thrown) {
    times.lookupEndedMs ||= performance.now();
    return failed(thrown);
  }
}

function runSigner(
  signer: Signer | undefined,
  use: KeyUse,
  bytes: Uint8Array,
): Answer | Promise<Answer> {
  if (signer === undefined) return errorAnswer(WIRE_ERRORS.KEY_NOT_FOUND, "no such key is loaded");
  return attempt(signer, use, bytes, use.retries.attempts);
}

/** @param left how often it may be tried again */
function attempt(
  signer: Signer,
  use: KeyUse,
  bytes: Uint8Array,
  left: number,
): Answer | Promise<Answer> {
  const { row, context } = use;
  try {
    const result = row.kind === "decrypt"
      ? signer.decrypt(bytes, context)
      : signer.sign(row.scheme satisfies SignOpcodeScheme, bytes, context);
    if (!(result instanceof Promise)) return success(OP_RESPONSE, result);
    const kept = left > 0 ? bytes.slice() : EMPTY; // else the packet would stay in memory
    return result.then(
      (made) => success(OP_RESPONSE, made),
      (thrown) => attemptAgain(thrown, signer, use, kept, left),
    );
  } catch (thrown) {
    return attemptAgain(thrown, signer, use, bytes, left);
  }
}

/** Tries it once more, if that may help; else the answer to the error. */
function attemptAgain(
  thrown: unknown,
  signer: Signer,
  use: KeyUse,
  bytes: Uint8Array,
  left: number,
): Answer | Promise<Answer> {
  const mayPass = thrown instanceof KeylessError && PASSING.has(thrown.code);
  if (left === 0 || !mayPass || !isWanted(use)) return failed(thrown);
  use.retries.onRetry();
  return attempt(signer, use, bytes, left - 1);
}

/** Whether somebody waits for the answer still. */
function isWanted({ context: { signal, deadlineMs } }: KeyUse): boolean {
  return !signal.aborted && performance.now() < deadlineMs;
}

/** The answer to what nobody waits for any more, before it was begun. */
function givenUp({ context: { signal } }: KeyUse): Answer {
  const [code, why] = signal.aborted
    ? ["ABORTED", "nobody waits for the answer any more"] as const
    : ["DEADLINE", "its key was found later than sign_timeout allows"] as const;
  return failed(new KeylessError(code, why));
}

function success(opcode: number, payload: Uint8Array | undefined): Answer {
  return { opcode, payload, error: WIRE_ERRORS.NONE, reason: undefined, shed: undefined };
}

/** One error for every way in which an operation on a key can fail: no oracle for the client. */
function failed(thrown: unknown): Answer {
  if (!(thrown instanceof KeylessError) || thrown.code === "INTERNAL") {
    return errorAnswer(WIRE_ERRORS.INTERNAL, `defect: ${messageOf(thrown)}`);
  }
  const shed = SHED[thrown.code];
  const error = shed === undefined ? WIRE_ERRORS.CRYPTOGRAPHY : WIRE_ERRORS.INTERNAL;
  return errorAnswer(error, thrown.message, shed);
}

const EMPTY = new Uint8Array(0);

/**
 * Errors of operations that were begun and failed, though nothing is wrong with them. Not
 * "THREAD_LOST": the queue has tried it on another thread by then.
 */
const PASSING: ReadonlySet<ErrorCode> = new Set(["SIGN_FAILED"]);

/** Errors of operations that were not begun: another server may have time for them. */
const SHED: Readonly<Partial<Record<ErrorCode, ShedReason>>> = {
  QUEUE_FULL: "full",
  DEADLINE: "deadline",
  ABORTED: "closed",
};
