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
  const digits = text.replaceAll(":", "");
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(digits)) return undefined;
  return new Uint8Array(Buffer.from(digits, "hex"));
}
