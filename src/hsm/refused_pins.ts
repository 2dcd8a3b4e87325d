import { createHmac, randomBytes } from "node:crypto";

/**
 * The PINs that tokens have refused, or may have, so that none is tried twice, however often their
 * modules' processes are started again. What is kept tells nobody a PIN without the key, which is
 * never written.
 */
export class RefusedPins {
  readonly #key = randomBytes(32);
  readonly #refused = new Set<string>();

  /** @param token what tells the token apart: its serial number */
  has(token: string, pin: Uint8Array): boolean {
    return this.#refused.has(this.#digestOf(token, pin));
  }

  add(token: string, pin: Uint8Array): void {
    this.#refused.add(this.#digestOf(token, pin));
  }

  delete(token: string, pin: Uint8Array): void {
    this.#refused.delete(this.#digestOf(token, pin));
  }

  #digestOf(token: string, pin: Uint8Array): string {
    return createHmac("sha256", this.#key).update(`${token}\0`).update(pin).digest("hex");
  }
}
