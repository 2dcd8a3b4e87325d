import { KeylessError } from "../../src/errors/errors.ts";
import type { SessionReply, SessionRequest } from "../../src/hsm/batch.ts";
import type { ModuleSession } from "../../src/hsm/module_session.ts";

/** Calls in a PKCS#11 session, which answers in order. */
export class SessionCalls {
  readonly #session: ModuleSession;
  readonly #waiting: PromiseWithResolvers<SessionReply>[] = [];
  #ended: KeylessError | undefined;

  constructor(session: ModuleSession) {
    this.#session = session;
    session.onReplies((replies) => {
      for (const reply of replies) this.#waiting.shift()?.resolve(reply);
    });
    void session.end.then((why) => {
      session.close(); // its thread is there until then
      this.#ended = new KeylessError("HSM_FAILED", `the session has ended: ${why}`);
      for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
    });
  }

  get isEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** @throws KeylessError "HSM_FAILED" where the session ends first */
  perform(request: SessionRequest): Promise<SessionReply> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const waiting = Promise.withResolvers<SessionReply>();
    this.#waiting.push(waiting);
    this.#session.request([request]);
    return waiting.promise;
  }

  /** Ends the session after what was asked. */
  async close(): Promise<void> {
    this.#session.close();
    await this.#session.gone;
  }
}
