import type { KeyQuery, Keystore, RequestContext, Signer } from "./keystore.ts";

/**
 * Several stores as one: a key is that of the first which has it. A store that answers later is the
 * last.
 */
export class Keystores implements Keystore {
  readonly #stores: readonly Keystore[];

  constructor(stores: readonly Keystore[]) {
    this.#stores = stores;
  }

  find(
    query: KeyQuery,
    context: RequestContext,
  ): Signer | undefined | Promise<Signer | undefined> {
    for (const store of this.#stores) {
      const found = store.find(query, context);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
