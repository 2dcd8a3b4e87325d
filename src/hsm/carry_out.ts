import { Buffer } from "node:buffer";
import type { KeyShape } from "../crypto/public_key.ts";
import type { SignScheme } from "../crypto/scheme.ts";
import { ckrOf, type Handle } from "./cryptoki.ts";
import type { OpenSession } from "./objects.ts";
import { type Operation, operationOf, resultOf } from "./operations.ts";

/**
 * Has a key carry an operation out.
 *
 * @param room gets what is made: `MAX_RESULT_BYTES`
 * @throws what the module does
 */
export function carryOut(
  { lib, session }: OpenSession,
  handle: Handle,
  { call, mechanism, input }: Operation,
  room: Buffer,
): Uint8Array {
  if (call === "sign") {
    lib.C_SignInit(session, mechanism, handle);
    return lib.C_Sign(session, input, room);
  }
  lib.C_DecryptInit(session, mechanism, handle);
  return lib.C_Decrypt(session, input, room);
}

/** What is to be signed, and by which object. */
export interface Sample {
  readonly handle: Uint8Array;
  /** Of the key that the object is taken for. */
  readonly shape: KeyShape;
  readonly scheme: SignScheme;
  readonly bytes: Uint8Array;
}

/**
 * A signature, to be verified.
 *
 * @returns undefined where the object makes none
 * @throws what the module does where it is the session that is of no use
 */
export function signSample(
  open: OpenSession,
  { handle, shape, scheme, bytes }: Sample,
): Uint8Array | undefined {
  try {
    const operation = operationOf(shape, scheme, bytes);
    const made = carryOut(open, Buffer.from(handle), operation, Buffer.alloc(MAX_RESULT_BYTES));
    return resultOf(shape, scheme, made);
  } catch (thrown) {
    if (OF_SESSION.has(ckrOf(thrown) ?? "")) throw thrown;
    open.lib.C_GetSessionInfo(open.session); // throws where the session is gone
    return undefined;
  }
}

/** A session is there, but no object can sign in it. */
const OF_SESSION: ReadonlySet<string> = new Set([
  "CKR_OPERATION_ACTIVE",
  "CKR_USER_NOT_LOGGED_IN",
]);

/** An RSA key of 16,384 bits. */
export const MAX_RESULT_BYTES = 2_048;
