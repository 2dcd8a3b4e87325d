import { createRequest } from "../../src/bench/requests.ts";
import type { Scheme } from "../../src/crypto/scheme.ts";
import { messageOf } from "../../src/errors/errors.ts";
import type { SessionRequest } from "../../src/hsm/batch.ts";
import { schemesOfType, whyNotUsable } from "../../src/hsm/key_schemes.ts";
import type { MechanismInfo } from "../../src/hsm/module.ts";
import type { ModuleChannel } from "../../src/hsm/module_channel.ts";
import type { ReportedKey } from "./key_report.ts";
import { SessionCalls } from "./session_calls.ts";

/** What became of one operation with a key. */
export interface Trial {
  readonly scheme: Scheme;
  /**
   * "verified": the answer is right. "made": there is one, which this runtime cannot verify. "wrong":
   * it is not right. "failed": there is none. "unsupported": it was not asked for.
   */
  readonly outcome: "verified" | "made" | "wrong" | "failed" | "unsupported";
  /** Why it is not "verified"; undefined where it is. */
  readonly why?: string;
  readonly elapsedMs?: number;
}

/** A key whose public half is known. */
export type KnownKey = ReportedKey & { readonly info: NonNullable<ReportedKey["info"]> };

/** Signs, or decrypts, with every opcode that a key supports, and verifies the answers. */
export class KeyTrials {
  readonly #channel: ModuleChannel;
  readonly #slotId: number;
  readonly #mechanisms: readonly MechanismInfo[];
  #calls: SessionCalls | undefined;

  constructor(channel: ModuleChannel, slotId: number, mechanisms: readonly MechanismInfo[]) {
    this.#channel = channel;
    this.#slotId = slotId;
    this.#mechanisms = mechanisms;
  }

  /** @param number that the key's handle is bound to */
  async all(key: KnownKey, number: number): Promise<readonly Trial[]> {
    const trials: Trial[] = [];
    for (const scheme of schemesOfType(key.info)) {
      const why = whyNotUsable(scheme, { ...key, shape: key.info }, this.#mechanisms);
      if (why !== undefined) trials.push({ scheme, outcome: "unsupported", why });
      else trials.push(await this.#one(scheme, key, number));
    }
    return trials;
  }

  async close(): Promise<void> {
    await this.#calls?.close();
  }

  async #one(scheme: Scheme, key: KnownKey, number: number): Promise<Trial> {
    const { request, isRight } = questionOf(scheme, key, number);
    try {
      const calls = await this.#session();
      const startMs = performance.now();
      const { outcome, bytes } = await calls.perform(request);
      const elapsedMs = performance.now() - startMs;
      if (outcome !== "made") {
        return { scheme, outcome: "failed", why: new TextDecoder().decode(bytes) };
      }
      const verdict = isRight(bytes);
      if (verdict === undefined) return { scheme, outcome: "made", why: UNVERIFIED, elapsedMs };
      return verdict
        ? { scheme, outcome: "verified", elapsedMs }
        : { scheme, outcome: "wrong", why: WRONG, elapsedMs };
    } catch (thrown) {
      return { scheme, outcome: "failed", why: messageOf(thrown) };
    }
  }

  /** A failure may have ended the last one. */
  async #session(): Promise<SessionCalls> {
    if (this.#calls === undefined || this.#calls.isEnded) {
      await this.#calls?.close(); // it has a place for one
      this.#calls = new SessionCalls(await this.#channel.openSession(this.#slotId));
    }
    return this.#calls;
  }
}

/** A request for a session's thread, and what its answer must be. */
export function questionOf(scheme: Scheme, { info, label }: KnownKey, number: number): {
  readonly request: SessionRequest;
  readonly isRight: (answer: Uint8Array) => boolean | undefined;
} {
  const { operation, isRight } = createRequest(scheme, { label, ski: info.ski, info });
  const bytes = operation.payload ?? new Uint8Array();
  return { request: { key: number, bits: info.bits, scheme, bytes }, isRight };
}

const UNVERIFIED = "this runtime cannot verify it";
const WRONG = "the key that the token shows as its public half does not verify it";
