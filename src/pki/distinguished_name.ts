import type { Name } from "@peculiar/asn1-x509";
import { x509 } from "./x509.ts";

/** A subject or an issuer (RFC 5280 4.1.2.4). Values are as they stand there: any characters. */
export interface DistinguishedName {
  /** RFC 4514 text in the order of the certificate: "C=SE, O=Example, CN=leaf"; may be empty. */
  readonly text: string;
  /** In the same order; those of one relative name, which text joins by "+", follow each other. */
  readonly attributes: readonly NameAttribute[];
}

export interface NameAttribute {
  /** "CN", "O" and so on; an object identifier where it has no short name. */
  readonly type: string;
  /** In hexadecimal after "#" where it is no text. */
  readonly value: string;
}

export function readName(syntax: Name): DistinguishedName {
  const name = new x509.Name(syntax);
  const attributes = name.toJSON().flatMap((relative) =>
    Object.entries(relative).flatMap(([type, values]) => values.map((value) => ({ type, value })))
  );
  return { text: name.toString(), attributes: attributes as readonly NameAttribute[] };
}
