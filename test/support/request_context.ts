import type { RequestContext } from "../../src/keystore/keystore.ts";

/** The context of a request on a connection of its own, unless the test names one. */
export function contextOf(given: Partial<RequestContext> = {}): RequestContext {
  return {
    client: { name: "test client", address: "127.0.0.1:1" },
    deadlineMs: Infinity,
    signal: new AbortController().signal,
    heldBytes: 1_024,
    span: undefined,
    forwarded: false,
    ...given,
  };
}
