import { storeOf } from "./test_server.ts";

/** A store whose signatures come when the test lets them. */
export class HeldStore {
  readonly release: (() => void)[] = [];
  readonly keystore = storeOf({
    sign: (_scheme, bytes) =>
      new Promise((resolve) => {
        this.release.push(() => resolve(bytes));
        this.#arrived?.();
      }),
    decrypt: (block) => block,
  });
  #arrived: (() => void) | undefined;

  /** Resolves when so many requests have reached the signer. */
  async reached(count: number): Promise<void> {
    while (this.release.length < count) {
      await new Promise<void>((resolve) => this.#arrived = resolve);
    }
  }
}
