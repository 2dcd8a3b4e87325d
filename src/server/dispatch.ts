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

/** What goes back to the client, and for the log what went wrong. */
export interface Answer {
  readonly opcode: number;
  readonly payload: Uint8Array | undefined;
  /** `WIRE_ERRORS.NONE` for a success. */
  readonly error: WireError;
  /** Why, in words for the operator; the client learns the error's one byte alone. */
  readonly reason: string | undefined;
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
): Answer | Promise<Answer> {
  const row = operation.opcode === undefined ? undefined : opcodeOf(operation.opcode);
  if (row === undefined) return errorAnswer(WIRE_ERRORS.BAD_OPCODE, "no opcode that is known");
  switch (row.kind) {
    case "ping":
      return success(OP_PONG, operation.payload);
    case "sign":
    case "decrypt":
      return useKey(row, operation, keystore, context, times);
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

export function errorAnswer(error: WireError, reason: string): Answer {
  return { opcode: OP_ERROR, payload: Uint8Array.of(error.code), error, reason };
}

type KeyOpcode = Extract<Opcode, { readonly kind: "sign" | "decrypt" }>;

const EMPTY = new Uint8Array(0);

function useKey(
  row: KeyOpcode,
  operation: Operation,
  keystore: Keystore,
  context: RequestContext,
  times: RequestTimes,
): Answer | Promise<Answer> {
  times.lookupStartedMs = performance.now();
  try {
    const signer = keystore.find(operation, context);
    if (signer instanceof Promise) {
      return signer
        .finally(() => times.lookupEndedMs = performance.now())
        .then((found) => runSigner(found, row, operation, context))
        .catch(failed);
    }
    times.lookupEndedMs = performance.now();
    return runSigner(signer, row, operation, context);
  } catch (thrown) {
    times.lookupEndedMs ||= performance.now();
    return failed(thrown);
  }
}

function runSigner(
  signer: Signer | undefined,
  row: KeyOpcode,
  operation: Operation,
  context: RequestContext,
): Answer | Promise<Answer> {
  if (signer === undefined) return errorAnswer(WIRE_ERRORS.KEY_NOT_FOUND, "no such key is loaded");
  const bytes = operation.payload ?? EMPTY;
  const result = row.kind === "decrypt"
    ? signer.decrypt(bytes, context)
    : signer.sign(row.scheme satisfies SignOpcodeScheme, bytes, context);
  if (result instanceof Promise) {
    return result.then((made) => success(OP_RESPONSE, made)).catch(failed);
  }
  return success(OP_RESPONSE, result);
}

function success(opcode: number, payload: Uint8Array | undefined): Answer {
  return { opcode, payload, error: WIRE_ERRORS.NONE, reason: undefined };
}

/** Errors of operations that were not begun: another attempt, or another server, may do it. */
const UNBEGUN: ReadonlySet<ErrorCode> = new Set(["QUEUE_FULL", "DEADLINE", "ABORTED"]);

/** One error for every way in which an operation on a key can fail: no oracle for the client. */
function failed(thrown: unknown): Answer {
  if (thrown instanceof KeylessError && UNBEGUN.has(thrown.code)) {
    return errorAnswer(WIRE_ERRORS.INTERNAL, thrown.message);
  }
  if (thrown instanceof KeylessError && thrown.code !== "INTERNAL") {
    return errorAnswer(WIRE_ERRORS.CRYPTOGRAPHY, thrown.message);
  }
  return errorAnswer(WIRE_ERRORS.INTERNAL, `defect: ${messageOf(thrown)}`);
}
