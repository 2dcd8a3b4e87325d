import { Buffer } from "node:buffer";

/** Bytes as lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

/**
 * The bytes that hexadecimal digits spell, with or without colons between them; undefined where the
 * text is anything else.
 */
export function fromHex(text: string): Uint8Array | undefined {
  if (!/^(?:[0-9a-f]{2}(?::?[0-9a-f]{2})*)?$/i.test(text)) return undefined;
  return new Uint8Array(Buffer.from(text.replaceAll(":", ""), "hex"));
}
