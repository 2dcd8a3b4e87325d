import { AsnConvert } from "@peculiar/asn1-schema";
import { GeneralName, type OtherName } from "@peculiar/asn1-x509";
import { fromBER } from "asn1js";
import { toHex } from "../bytes/hex.ts";
import { readName } from "./distinguished_name.ts";

/** One name of an alternative name, of a constraint, or of a place (RFC 5280 4.2.1.6). */
export interface NamedValue {
  /** As OpenSSL calls it: "DNS", "IP", "email", "URI", "DirName", "RID", "othername". */
  readonly type: string;
  /** As it stands there: any characters. An IP address as text; of a constraint with "/BITS". */
  readonly value: string;
}

export function readGeneralName(syntax: GeneralName): NamedValue {
  if (syntax.dNSName !== undefined) return { type: "DNS", value: syntax.dNSName };
  if (syntax.iPAddress !== undefined) return { type: "IP", value: syntax.iPAddress };
  if (syntax.rfc822Name !== undefined) return { type: "email", value: syntax.rfc822Name };
  if (syntax.uniformResourceIdentifier !== undefined) {
    return { type: "URI", value: syntax.uniformResourceIdentifier };
  }
  if (syntax.directoryName !== undefined) {
    return { type: "DirName", value: readName(syntax.directoryName).text };
  }
  if (syntax.registeredID !== undefined) return { type: "RID", value: syntax.registeredID };
  if (syntax.otherName !== undefined) return readOtherName(syntax.otherName);
  return { type: "other", value: toHex(new Uint8Array(AsnConvert.serialize(syntax))) };
}

/** Its object identifier, and its text, or its DER in hexadecimal after "#". */
function readOtherName({ typeId, value }: OtherName): NamedValue {
  const { result } = fromBER(value);
  const inner: unknown = "value" in result.valueBlock ? result.valueBlock.value : undefined;
  const text = typeof inner === "string" ? inner : `#${toHex(new Uint8Array(value))}`;
  return { type: "othername", value: `${typeId}:${text}` };
}
