import type { Libcrypto } from "../../runtime/libcrypto.ts";

/**
 * What OpenSSL's error queue says, oldest first: "asn1 encoding routines::wrong tag". Empties the
 * queue. The texts name functions' reasons; they hold no data.
 */
export function takeErrors(libcrypto: Libcrypto): string[] {
  const reasons: string[] = [];
  for (let code = libcrypto.ERR_get_error(); code !== 0; code = libcrypto.ERR_get_error()) {
    reasons.push(textOf(libcrypto, code));
  }
  return reasons;
}

/** The last part of such a text, which alone says something to who does not know OpenSSL. */
export function reasonOf(text: string): string {
  return text.slice(text.lastIndexOf(":") + 1);
}

/** The reason of the first, which the others stand around; `texts` are those of `takeErrors`. */
export function firstReason([first]: readonly string[]): string {
  return first === undefined ? "no reason given" : reasonOf(first);
}

function textOf(libcrypto: Libcrypto, code: number): string {
  const buffer = new Uint8Array(MAX_TEXT_BYTES);
  libcrypto.ERR_error_string_n(code, buffer, buffer.length);
  const text = new TextDecoder().decode(buffer.subarray(0, buffer.indexOf(0)));
  return text.replace(/^error:[0-9A-F]+:/, "");
}

const MAX_TEXT_BYTES = 256;
