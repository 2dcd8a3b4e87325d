import { Buffer } from "node:buffer";
import type { Module, Session, Slot, Token } from "graphene-pk11";
import { KeylessError } from "../errors/errors.ts";
import { quoted } from "../errors/printable.ts";
import { type Sample, signSample } from "./carry_out.ts";
import { ckrOf, fromHandle, type Graphene, hsmError } from "./cryptoki.ts";
import { mechanismName } from "./mechanism_names.ts";
import { type OpenSession } from "./objects.ts";
import { openAnySession } from "./open_session.ts";
import type { OpenTokenCall } from "./module_calls.ts";
import { PIN_REFUSALS, TOKEN_FLAGS } from "./token_flags.ts";
import { type KeyTemplate, type ListedKey, listKeys } from "./token_keys.ts";
import type { LibraryVersion } from "./uri_attributes.ts";

/** What a module says of itself. */
export interface ModuleInfo {
  readonly manufacturer: string;
  readonly description: string;
  readonly version: LibraryVersion;
  /** Of the PKCS#11 that it speaks. */
  readonly cryptoki: LibraryVersion;
}

/** A slot, and the token in it. Texts are the module's: not yet printable. */
export interface SlotInfo {
  readonly slotId: number;
  readonly description: string;
  readonly manufacturer: string;
  /** Undefined where the slot is empty, or the token does not answer. */
  readonly token: TokenInfo | undefined;
}

export interface TokenInfo {
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  /** CKF_…, of `TOKEN_FLAGS`. */
  readonly flags: number;
  /** Undefined where the token does not say; of the limit, also where there is none. */
  readonly sessions: number | undefined;
  readonly maxSessions: number | undefined;
  readonly freePrivateMemory: number | undefined;
  readonly totalPrivateMemory: number | undefined;
}

export interface MechanismInfo {
  /** "CKM_ECDSA". */
  readonly name: string;
  readonly type: number;
  readonly minKeySize: number;
  readonly maxKeySize: number;
  /** CKF_…, of a mechanism. */
  readonly flags: number;
}

/**
 * A PKCS#11 module: opened once in a process. Its calls may take as long as the token does, on the
 * thread that makes them; other threads may sign in sessions of their own meanwhile.
 *
 * Source: PKCS #11 base specification 2.40 sections 5.4 to 5.7.
 */
export class Pkcs11Module {
  readonly #module: Module;
  /** A session for each slot in use: it keeps the login, and keys are looked for in it. */
  readonly #sessions = new Map<number, Session>();
  /** Slots that took a PIN. */
  readonly #loggedIn = new Set<number>();

  /**
   * @param path absolute
   * @throws KeylessError "HSM_MODULE"
   */
  constructor(graphene: Graphene, path: string) {
    try {
      this.#module = graphene.Module.load(path);
    } catch (thrown) {
      throw hsmError(`${quoted(path)} cannot be opened as a PKCS#11 module`, thrown, "HSM_MODULE");
    }
    try {
      this.#module.initialize({ flags: CKF_OS_LOCKING_OK });
    } catch (thrown) {
      throw hsmError(`the PKCS#11 module ${quoted(path)} does not start`, thrown, "HSM_MODULE");
    }
  }

  info(): ModuleInfo {
    const { manufacturerID, libraryDescription, libraryVersion, cryptokiVersion } = this.#module;
    return {
      manufacturer: trimmed(manufacturerID),
      description: trimmed(libraryDescription),
      version: { ...libraryVersion },
      cryptoki: { ...cryptokiVersion },
    };
  }

  /** @throws KeylessError "HSM_FAILED" */
  slots(): readonly SlotInfo[] {
    return this.#listSlots().map((slot) => {
      return {
        slotId: slotIdOf(slot),
        description: trimmed(slot.slotDescription),
        manufacturer: trimmed(slot.manufacturerID),
        token: tokenOf(slot),
      };
    });
  }

  /** @throws KeylessError "HSM_FAILED" */
  mechanisms(slotId: number): readonly MechanismInfo[] {
    return attempt("the token's mechanisms cannot be listed", () => {
      const mechanisms = this.#slot(slotId).getMechanisms();
      return Array.from({ length: mechanisms.length }, (_, index) => {
        const { name, type, minKeySize, maxKeySize, flags } = mechanisms.items(index);
        return { name: mechanismName(type, name), type, minKeySize, maxKeySize, flags };
      });
    });
  }

  /**
   * Opens a session that keeps the login, which holds for all sessions of this process. Those that the
   * slot has are closed: they may be of a token that was away, or of a login that has ended.
   *
   * @throws KeylessError "HSM_PIN" where the token takes no PIN, or lacks one; "HSM_TOKEN"
   */
  openToken({ slotId, hasPin, mayUseLastTry = false }: OpenTokenCall): void {
    const slot = this.#slot(slotId);
    this.#closeAll(slot);
    const token = attempt("the token does not answer", () => slot.getToken(), "HSM_TOKEN");
    checkPin(token, hasPin, mayUseLastTry);
    const open = () => openAnySession((flags) => slot.open(flags));
    this.#sessions.set(slotId, attempt("no session can be opened", open, "HSM_TOKEN"));
  }

  /**
   * Hands a PIN over once, after `openToken`.
   *
   * @param pin UTF-8
   * @returns the CKR_… that C_Login returned; undefined where the login holds
   */
  login(slotId: number, pin: Uint8Array): string | undefined {
    try {
      this.#sessions.get(slotId)!.login(textOf(pin));
    } catch (thrown) {
      const ckr = ckrOf(thrown);
      if (ckr === "CKR_USER_ALREADY_LOGGED_IN") return undefined;
      this.logout(slotId);
      if (ckr === undefined) throw thrown;
      return ckr;
    }
    this.#loggedIn.add(slotId);
    return undefined;
  }

  /** Whether what `openToken` and `login` have opened still holds, on the token of this serial. */
  isOpen(slotId: number, serial: string): boolean {
    const session = this.#sessions.get(slotId);
    if (session === undefined) return false;
    try {
      const { slotID, state } = session.lib.C_GetSessionInfo(session.handle);
      const isLoggedIn = !this.#loggedIn.has(slotId) || USER_STATES.includes(state);
      const token = tokenOf(this.#slot(slotId));
      return isLoggedIn && Number(fromHandle(slotID)) === slotId && token?.serial === serial;
    } catch {
      return false;
    }
  }

  /** Ends the login of a slot, if there is one, and closes its session. */
  logout(slotId: number): void {
    const session = this.#sessions.get(slotId);
    this.#sessions.delete(slotId);
    try {
      session?.close();
    } catch { // the token may be gone, and with it the session
    }
  }

  /**
   * The private keys that fit, after `login`: see `listKeys`.
   *
   * @throws KeylessError "HSM_FAILED"
   */
  *listKeys(slotId: number, template: KeyTemplate): Generator<ListedKey | undefined> {
    try {
      yield* listKeys(this.#openSession(slotId), template);
    } catch (thrown) {
      throw hsmError("the token's keys cannot be listed", thrown);
    }
  }

  /**
   * A signature, after `login`; undefined where the object makes none.
   *
   * @throws KeylessError "HSM_FAILED"
   */
  sign(slotId: number, sample: Sample): Uint8Array | undefined {
    return attempt(
      "no key can be tried on the token",
      () => signSample(this.#openSession(slotId), sample),
    );
  }

  /** Ends all sessions. The module must not be used afterwards. */
  close(): void {
    this.#module.finalize();
  }

  #closeAll(slot: Slot): void {
    this.#sessions.delete(slotIdOf(slot));
    this.#loggedIn.delete(slotIdOf(slot));
    try {
      slot.closeAll();
    } catch { // the token may be gone, and with it the sessions
    }
  }

  #openSession(slotId: number): OpenSession {
    const session = this.#sessions.get(slotId);
    if (session === undefined) throw new Error("there is no login");
    return { lib: session.lib, session: session.handle };
  }

  #listSlots(): readonly Slot[] {
    const slots = attempt(
      "the module's slots cannot be listed",
      () => this.#module.getSlots(false),
    );
    return Array.from({ length: slots.length }, (_, index) => slots.items(index));
  }

  #slot(slotId: number): Slot {
    const slot = this.#listSlots().find((slot) => slotIdOf(slot) === slotId);
    if (slot === undefined) {
      throw new KeylessError("HSM_TOKEN", `slot ${slotId} is gone; see keyless hsm slots`);
    }
    return slot;
  }
}

function tokenOf(slot: Slot): TokenInfo | undefined {
  let token: Token;
  try {
    token = slot.getToken();
  } catch {
    return undefined;
  }
  return {
    label: trimmed(token.label),
    manufacturer: trimmed(token.manufacturerID),
    model: trimmed(token.model),
    serial: trimmed(token.serialNumber),
    flags: token.flags,
    sessions: known(token.sessionCount),
    maxSessions: knownLimit(token.maxSessionCount),
    freePrivateMemory: known(token.freePrivateMemory),
    totalPrivateMemory: known(token.totalPrivateMemory),
  };
}

/** Fields are padded with blanks; some modules pad with zeros. */
function trimmed(text: string): string {
  return text.replace(/[ \0]+$/, "");
}

/** CK_UNAVAILABLE_INFORMATION is the highest CK_ULONG, of 32 bits on some modules. */
function known(value: number): number | undefined {
  return value < 0 || value >= 0xffff_ffff ? undefined : value;
}

/** CK_EFFECTIVELY_INFINITE is 0. */
function knownLimit(value: number): number | undefined {
  return value === 0 ? undefined : known(value);
}

function slotIdOf(slot: Slot): number {
  return Number(fromHandle(slot.handle));
}

function attempt<Result>(
  what: string,
  call: () => Result,
  code: "HSM_FAILED" | "HSM_TOKEN" = "HSM_FAILED",
): Result {
  try {
    return call();
  } catch (thrown) {
    throw hsmError(what, thrown, code);
  }
}

/** Nothing of this costs a try. */
function checkPin(token: Token, hasPin: boolean, mayUseLastTry: boolean): void {
  const wantsPin = (token.flags & TOKEN_FLAGS.LOGIN_REQUIRED) !== 0;
  if (!hasPin && !wantsPin) return;
  for (const { flag, isSet, why } of PIN_REFUSALS) {
    if (flag === TOKEN_FLAGS.USER_PIN_FINAL_TRY && mayUseLastTry) continue;
    if (((token.flags & flag) !== 0) === isSet) throw pinError(token, why);
  }
  if (!hasPin) throw pinError(token, "wants a PIN");
}

function pinError(token: Token, why: string): KeylessError {
  return new KeylessError("HSM_PIN", `the token ${quoted(trimmed(token.label))} ${why}`);
}

/** pkcs11js takes a PIN as text alone. */
function textOf(pin: Uint8Array): string {
  return Buffer.from(pin.buffer, pin.byteOffset, pin.length).toString();
}

const CKF_OS_LOCKING_OK = 2;

/** CKS_RO_USER_FUNCTIONS, CKS_RW_USER_FUNCTIONS. */
const USER_STATES: readonly number[] = [1, 3];
