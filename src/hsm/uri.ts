/**
 * PKCS#11 URIs: which token, which object on it, and how to get there.
 *
 *     pkcs11:token=prod;object=tls?module-name=softhsm2&pin-source=file:/etc/pin
 *            path: attributes by ;  query: attributes by &
 *
 * Source: RFC 7512. Stricter than it asks for: attributes that it does not define must look like a
 * vendor's (one that is nearly one of these is refused), and commands as pin-source are refused.
 */
import { KeylessError, messageOf } from "../errors/errors.ts";
import { nearest } from "../text/nearest.ts";
import { percentDecode, percentEncode } from "./percent.ts";
import {
  type AttributeName,
  type AttributeValue,
  readValue,
  URI_ATTRIBUTES,
  type UriPart,
  writeValue,
} from "./uri_attributes.ts";

/** A URI's attributes by the names that they have in it, and those of vendors in their order. */
export type Pkcs11Uri =
  & { readonly [Name in AttributeName]?: AttributeValue<Name> }
  & { readonly vendor: readonly VendorAttribute[] };

/** An attribute that means nothing to us. In the query a name may stand more than once. */
export interface VendorAttribute {
  readonly part: UriPart;
  readonly name: string;
  readonly value: Uint8Array;
}

/**
 * Reads a PKCS#11 URI.
 *
 * @throws KeylessError "HSM_URI" that names the attribute and what to write instead; it shows no
 *   value, because any may be a misplaced PIN
 */
export function parseUri(text: string): Pkcs11Uri {
  if (text.length > MAX_LENGTH) throw refused(`it is longer than ${MAX_LENGTH} characters`);
  if (!/^pkcs11:/i.test(text)) {
    throw refused("it does not begin with pkcs11:; write it like pkcs11:token=LABEL;object=NAME");
  }
  const [, path = "", query] = /^.{7}([^?]*)(?:\?(.*))?$/s.exec(text) ?? [];
  const uri: MutableUri = { vendor: [] };
  readPart(uri, "path", path);
  if (query !== undefined) readPart(uri, "query", query);
  checkTogether(uri);
  return uri as Pkcs11Uri;
}

/**
 * Writes a URI in the order of the table. `parseUri` gives the same again, but for pin-value and the
 * attributes of vendors, which are left out: they may be parts of a PIN.
 */
export function formatUri(uri: Pkcs11Uri): string {
  const path = formatPart(uri, "path").join(";");
  const query = formatPart(uri, "query").join("&");
  return query === "" ? `pkcs11:${path}` : `pkcs11:${path}?${query}`;
}

type MutableUri = { vendor: VendorAttribute[] } & { [Name in AttributeName]?: unknown };

function readPart(uri: MutableUri, part: UriPart, text: string): void {
  if (text === "") return;
  for (const pair of text.split(SEPARATORS[part])) {
    const equals = pair.indexOf("=");
    if (equals < 0) {
      throw refused(
        `an attribute of its ${part} has no =; write NAME=VALUE, with ${SEPARATORS[part]} between`,
      );
    }
    readAttribute(uri, part, pair.slice(0, equals), pair.slice(equals + 1));
  }
}

function readAttribute(uri: MutableUri, part: UriPart, name: string, encoded: string): void {
  if (!/^[A-Za-z0-9_-]+$/.test(name)) {
    throw refused(
      `what stands before a = in its ${part} is no name of an attribute; those have letters, ` +
        "digits, - and _ alone, and values have & and ; as %26 and %3B",
    );
  }
  const attribute = attributeNamed(name);
  if (attribute === undefined) return readVendor(uri, part, name, encoded);
  const { part: rightPart } = URI_ATTRIBUTES[attribute];
  if (part !== rightPart) {
    const mend = rightPart === "path" ? "before the ?" : "after a ?";
    throw refused(`${name} stands in its ${part}; write it ${mend}`);
  }
  if (attribute in uri) throw refused(`${name} stands twice; write it once`);
  try {
    uri[attribute] = readValue(attribute, percentDecode(encoded, part));
  } catch (cause) {
    throw refused(`${name} ${messageOf(cause)}`);
  }
}

/** Its name is not shown where it stands in the query: it may be the rest of a PIN with an &. */
function readVendor(uri: MutableUri, part: UriPart, name: string, encoded: string): void {
  const meant = nearest(name.toLowerCase(), ATTRIBUTE_NAMES);
  if (meant !== undefined) throw refused(`an attribute of its ${part} is misspelt; write ${meant}`);
  if (/pin|pass|secret/i.test(name)) {
    throw refused(
      `an attribute of its ${part} may hold a PIN, and is not known; ${PIN_ATTRIBUTES}`,
    );
  }
  const shown = part === "path" ? name : "an attribute that is not known";
  if (part === "path" && uri.vendor.some((known) => known.name === name)) {
    throw refused(`${name} stands twice; write it once`);
  }
  try {
    uri.vendor.push({ part, name, value: percentDecode(encoded, part) });
  } catch (cause) {
    throw refused(`${shown} ${messageOf(cause)}`);
  }
}

function checkTogether(uri: MutableUri): void {
  if ("pin-source" in uri && "pin-value" in uri) {
    throw refused("pin-value and pin-source exclude each other; keep pin-source");
  }
  if ("pin-value" in uri && uri.vendor.some(({ part }) => part === "query")) {
    throw refused(
      "an attribute beside pin-value is not known, and may be the rest of the PIN; write & in it as " +
        "%26, or leave the attribute out",
    );
  }
  const { "min-sessions": least, "max-sessions": most } = uri as Pkcs11Uri;
  if (least !== undefined && most !== undefined && least > most) {
    throw refused(`min-sessions (${least}) is above max-sessions (${most}); lower it`);
  }
}

function formatPart(uri: Pkcs11Uri, part: UriPart): readonly string[] {
  return ATTRIBUTE_NAMES.flatMap((name) => {
    const value = uri[name];
    if (URI_ATTRIBUTES[name].part !== part || value === undefined) return [];
    const bytes = writeValue(name, value as never);
    if (bytes === undefined) return [];
    return [`${name}=${percentEncode(bytes, name === "id" ? undefined : part)}`];
  });
}

function attributeNamed(name: string): AttributeName | undefined {
  return ATTRIBUTE_NAMES.find((known) => known === name);
}

function refused(why: string): KeylessError {
  return new KeylessError("HSM_URI", `the PKCS#11 URI cannot be read: ${why}`);
}

const ATTRIBUTE_NAMES = Object.keys(URI_ATTRIBUTES) as AttributeName[];
const PIN_ATTRIBUTES = "write pin-source=file:/PATH behind the ?, which names a file that holds it";
const SEPARATORS = { path: ";", query: "&" } as const;
const MAX_LENGTH = 8_192;
