import { Buffer } from "node:buffer";
import type { PKCS11 } from "pkcs11js";
import type { Scheme } from "../crypto/scheme.ts";
import type { KeyShape } from "../crypto/public_key.ts";
import type { KeylessError } from "../errors/errors.ts";
import { carryOut, MAX_RESULT_BYTES } from "./carry_out.ts";
import { ckrOf, type Handle, hsmError, type Pkcs11js, SESSION_GONE, toHandle } from "./cryptoki.ts";
import { openAnySession } from "./open_session.ts";
import { operationOf, resultOf } from "./operations.ts";

/** A session that cannot go on: its token is gone, it was closed, or it does nothing but fail. */
export class SessionLost extends Error {
  override readonly name = "SessionLost";
}

/**
 * A PKCS#11 session, on a thread of its own: every call waits for the token.
 *
 * Calls go to pkcs11js without graphene, whose objects cost a call of C_GetSessionInfo or an
 * allocation for each signature.
 */
export class TokenSession {
  readonly #lib: PKCS11;
  readonly #session: Handle;
  readonly #made = Buffer.alloc(MAX_RESULT_BYTES);
  readonly #failures = new Failures();
  #isClosed = false;

  /**
   * @param path of a module that another thread of this process has initialised
   * @throws KeylessError "HSM_FAILED"
   */
  constructor(pkcs11js: Pkcs11js, path: string, slotId: number) {
    this.#lib = new pkcs11js.PKCS11();
    try {
      this.#lib.load(path);
      const slot = toHandle(BigInt(slotId));
      this.#session = openAnySession((flags) => this.#lib.C_OpenSession(slot, flags));
    } catch (thrown) {
      throw hsmError("no session can be opened", thrown);
    }
  }

  /**
   * Signs a digest, or for "rsa-decrypt" applies the private key to a block.
   *
   * @returns a fresh buffer
   * @throws KeylessError "SIGN_REFUSED", "SIGN_FAILED"; SessionLost, then the session is of no use
   */
  perform(handle: Handle, key: KeyShape, scheme: Scheme, bytes: Uint8Array): Uint8Array {
    const operation = operationOf(key, scheme, bytes);
    const open = { lib: this.#lib, session: this.#session };
    let made: Uint8Array;
    try {
      made = carryOut(open, handle, operation, this.#made);
    } catch (thrown) {
      throw this.#failure(handle, scheme, thrown);
    }
    this.#failures.end();
    return resultOf(key, scheme, made);
  }

  /** Does nothing where the token has closed it: the handle may be another session's by now. */
  close(): void {
    if (this.#isClosed) return;
    try {
      this.#lib.C_CloseSession(this.#session);
    } catch { // it is gone already
    }
  }

  #failure(handle: Handle, scheme: Scheme, thrown: unknown): KeylessError | SessionLost {
    const ckr = ckrOf(thrown);
    if (ckr !== undefined && LOST.has(ckr)) {
      this.#isClosed = CLOSED.has(ckr);
      return new SessionLost(ckr);
    }
    const what = `${scheme} on the token failed`;
    if (ckr !== undefined && OF_REQUEST.test(ckr)) {
      const isBadBlock = scheme === "rsa-decrypt" && BAD_BLOCK.has(ckr);
      return hsmError(what, thrown, isBadBlock ? "SIGN_REFUSED" : "SIGN_FAILED");
    }
    const failed = hsmError(what, thrown, "SIGN_FAILED");
    this.#failures.add(handle);
    return this.#failures.areOfSession() ? new SessionLost(failed.message) : failed;
  }
}

/**
 * Failures in a row that may be the session's, the request's or the key's: a broken link to a token may
 * show in nothing else, for ever.
 */
export class Failures {
  readonly #keys = new Set<Handle>();
  #count = 0;
  #sinceMs = 0;

  /** @param key the same object each time */
  add(key: Handle, nowMs = performance.now()): void {
    if (this.#count === 0) this.#sinceMs = nowMs;
    this.#count += 1;
    this.#keys.add(key);
  }

  end(): void {
    if (this.#count === 0) return;
    this.#count = 0;
    this.#keys.clear();
  }

  /** Those of one key are its own, unless nothing has succeeded for a while. */
  areOfSession(nowMs = performance.now()): boolean {
    if (this.#count < MAX_FAILURES) return false;
    return this.#keys.size > 1 || nowMs - this.#sinceMs >= MAX_FAILING_MS;
  }
}

/** The session is gone, its keys are, or a call before has left it unusable. */
const LOST: ReadonlySet<string> = new Set([
  ...SESSION_GONE,
  "CKR_KEY_HANDLE_INVALID",
  "CKR_OBJECT_HANDLE_INVALID",
  "CKR_OPERATION_ACTIVE",
]);

const CLOSED: ReadonlySet<string> = new Set(["CKR_SESSION_CLOSED", "CKR_SESSION_HANDLE_INVALID"]);

/** What another request may not suffer from: this one, or its key, is not what the token takes. */
const OF_REQUEST =
  /^CKR_(?:DATA_|ENCRYPTED_DATA_|KEY_(?!HANDLE)|MECHANISM_|ARGUMENTS_BAD|FUNCTION_NOT_SUPPORTED)/;

const MAX_FAILURES = 3;
const MAX_FAILING_MS = 1_000;

/** A block that is not below the modulus: the client's fault. */
const BAD_BLOCK: ReadonlySet<string> = new Set([
  "CKR_DATA_INVALID",
  "CKR_DATA_LEN_RANGE",
  "CKR_ENCRYPTED_DATA_INVALID",
  "CKR_ENCRYPTED_DATA_LEN_RANGE",
]);
