import type { UriPart } from "./uri_attributes.ts";

/**
 * Undoes percent-encoding.
 *
 * @throws Error that says what must be encoded, and how; nothing of the value is shown: it may be a PIN
 */
export function percentDecode(text: string, part: UriPart): Uint8Array {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === "%") {
      const digits = text.slice(at + 1, at + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(digits)) {
        throw new Error("has a % without two hexadecimal digits; write a % itself as %25");
      }
      bytes.push(parseInt(digits, 16));
      at += 2;
    } else if (isPlain(character, part)) {
      bytes.push(character.charCodeAt(0));
    } else {
      throw new Error(UNENCODED);
    }
  }
  return Uint8Array.from(bytes);
}

/** Encodes what may not stand as it is in that part of a URI; everything where none is given. */
export function percentEncode(bytes: Uint8Array, part: UriPart | undefined): string {
  return Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte);
    return part !== undefined && isPlain(character, part) ? character : encodeByte(byte);
  }).join("");
}

function isPlain(character: string, part: UriPart): boolean {
  return /[A-Za-z0-9._~-]/.test(character) || PLAIN[part].includes(character);
}

function encodeByte(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

const UNENCODED = "holds a character that must be percent-encoded: letters, digits and -._~ may " +
  "stand as they are; a space is %20, a / is %2F, a ; is %3B, a # is %23";

/** RFC 7512 section 2.3: pk11-path-res-avail and pk11-query-res-avail. */
const PLAIN: Readonly<Record<UriPart, string>> = {
  path: ":[]@!$'()*+,=&",
  query: ":[]@!$'()*+,=/?|",
};
