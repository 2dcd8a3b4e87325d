/**
 * The request id that a request context (tag 0x16) names: a JSON object whose `request_id` is a
 * string. Anything else, however broken, names none: the item is advice from a peer, and nothing
 * that a request needs.
 */
export function requestIdOf(context: Uint8Array | undefined): string | undefined {
  if (context === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(UTF8_DECODER.decode(context));
    if (typeof value !== "object" || value === null) return undefined;
    const id = "request_id" in value ? value.request_id : undefined;
    return typeof id === "string" && id !== "" ? id : undefined;
  } catch {
    return undefined;
  }
}

const UTF8_DECODER = new TextDecoder();
