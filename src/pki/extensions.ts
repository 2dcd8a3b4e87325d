import { AsnConvert } from "@peculiar/asn1-schema";
import {
  AuthorityInfoAccessSyntax,
  AuthorityKeyIdentifier,
  BasicConstraints,
  CRLDistributionPoints,
  ExtendedKeyUsage,
  type Extension,
  type GeneralSubtrees,
  NameConstraints,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
} from "@peculiar/asn1-x509";
import { BitString, fromBER } from "asn1js";
import { type NamedValue, readGeneralName } from "./general_names.ts";

/** What the extensions of a certificate or of a request say; undefined where there is none. */
export interface Extensions {
  /** The subject alternative names. */
  readonly names: readonly NamedValue[] | undefined;
  /** As RFC 5280 4.2.1.3 calls them: "digitalSignature". */
  readonly keyUsages: readonly string[] | undefined;
  /** "serverAuth" and so on; an object identifier where it has no name. */
  readonly extendedKeyUsages: readonly string[] | undefined;
  readonly basicConstraints: BasicConstraintsText | undefined;
  readonly nameConstraints: NameConstraintsText | undefined;
  readonly subjectKeyId: Uint8Array | undefined;
  readonly authorityKeyId: Uint8Array | undefined;
  readonly ocspUrls: readonly string[];
  /** Where the issuer's certificate is to be had. */
  readonly issuerUrls: readonly string[];
  readonly crlUrls: readonly string[];
  /** Those that are not looked into, and those that cannot be read. */
  readonly others: readonly OtherExtension[];
}

export interface BasicConstraintsText {
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
}

export interface NameConstraintsText {
  readonly permitted: readonly NamedValue[];
  readonly excluded: readonly NamedValue[];
}

export interface OtherExtension {
  readonly oid: string;
  /** Undefined where it has none here. */
  readonly name: string | undefined;
  readonly isCritical: boolean;
  /** It is one that is looked into, but damaged. */
  readonly isDamaged: boolean;
}

/** Reads extensions one by one: one that is damaged does not hide the others. */
export function readExtensions(syntax: readonly Extension[]): Extensions {
  const found: Mutable = {};
  const others: OtherExtension[] = [];
  for (const { extnID: oid, critical: isCritical, extnValue } of syntax) {
    const read = READERS[oid];
    const name = NAMES[oid];
    try {
      if (read === undefined) others.push({ oid, name, isCritical, isDamaged: false });
      else Object.assign(found, read(extnValue.buffer));
    } catch {
      others.push({ oid, name, isCritical, isDamaged: true });
    }
  }
  return { ...NONE, ...found, others };
}

type Mutable = Partial<Extensions>;

const NONE: Extensions = {
  names: undefined,
  keyUsages: undefined,
  extendedKeyUsages: undefined,
  basicConstraints: undefined,
  nameConstraints: undefined,
  subjectKeyId: undefined,
  authorityKeyId: undefined,
  ocspUrls: [],
  issuerUrls: [],
  crlUrls: [],
  others: [],
};

/** By object identifier; each throws where the value is not what it should be. */
const READERS: Readonly<Record<string, (value: ArrayBuffer) => Mutable>> = {
  "2.5.29.14": (value) => ({
    subjectKeyId: new Uint8Array(AsnConvert.parse(value, SubjectKeyIdentifier).buffer),
  }),
  "2.5.29.15": (value) => ({ keyUsages: readKeyUsages(value) }),
  "2.5.29.17": (value) => ({
    names: Array.from(AsnConvert.parse(value, SubjectAlternativeName), readGeneralName),
  }),
  "2.5.29.19": (value) => {
    const { cA, pathLenConstraint } = AsnConvert.parse(value, BasicConstraints);
    return { basicConstraints: { isCa: cA, pathLength: pathLenConstraint } };
  },
  "2.5.29.30": (value) => {
    const { permittedSubtrees, excludedSubtrees } = AsnConvert.parse(value, NameConstraints);
    const read = (trees: GeneralSubtrees | undefined) =>
      Array.from(trees ?? [], ({ base }) => readGeneralName(base));
    return {
      nameConstraints: { permitted: read(permittedSubtrees), excluded: read(excludedSubtrees) },
    };
  },
  "2.5.29.31": (value) => ({
    crlUrls: Array.from(AsnConvert.parse(value, CRLDistributionPoints))
      .flatMap(({ distributionPoint }) => distributionPoint?.fullName ?? [])
      .map((name) => readGeneralName(name).value),
  }),
  "2.5.29.35": (value) => {
    const { keyIdentifier } = AsnConvert.parse(value, AuthorityKeyIdentifier);
    return { authorityKeyId: keyIdentifier && new Uint8Array(keyIdentifier.buffer) };
  },
  "2.5.29.37": (value) => ({
    extendedKeyUsages: Array.from(
      AsnConvert.parse(value, ExtendedKeyUsage),
      (oid) => EXTENDED_KEY_USAGES[oid] ?? oid,
    ),
  }),
  "1.3.6.1.5.5.7.1.1": (value) => {
    const places = Array.from(AsnConvert.parse(value, AuthorityInfoAccessSyntax));
    const of = (method: string) =>
      places.filter(({ accessMethod }) => accessMethod === method)
        .map(({ accessLocation }) => readGeneralName(accessLocation).value);
    return { ocspUrls: of("1.3.6.1.5.5.7.48.1"), issuerUrls: of("1.3.6.1.5.5.7.48.2") };
  },
};

function readKeyUsages(value: ArrayBuffer): string[] {
  const { result } = fromBER(value);
  if (!(result instanceof BitString)) throw new Error("no bit string");
  const bytes = result.valueBlock.valueHexView;
  return KEY_USAGES.filter((_, bit) => (bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7)));
}

/** The bits of RFC 5280 4.2.1.3, in their order. */
const KEY_USAGES = [
  "digitalSignature",
  "contentCommitment",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;

const EXTENDED_KEY_USAGES: Readonly<Record<string, string>> = {
  "2.5.29.37.0": "any",
  "1.3.6.1.5.5.7.3.1": "serverAuth",
  "1.3.6.1.5.5.7.3.2": "clientAuth",
  "1.3.6.1.5.5.7.3.3": "codeSigning",
  "1.3.6.1.5.5.7.3.4": "emailProtection",
  "1.3.6.1.5.5.7.3.8": "timeStamping",
  "1.3.6.1.5.5.7.3.9": "OCSPSigning",
};

const NAMES: Readonly<Record<string, string>> = {
  "2.5.29.9": "subject directory attributes",
  "2.5.29.14": "subject key identifier",
  "2.5.29.15": "key usage",
  "2.5.29.16": "private key usage period",
  "2.5.29.17": "subject alternative name",
  "2.5.29.18": "issuer alternative name",
  "2.5.29.19": "basic constraints",
  "2.5.29.30": "name constraints",
  "2.5.29.31": "CRL distribution points",
  "2.5.29.32": "certificate policies",
  "2.5.29.33": "policy mappings",
  "2.5.29.35": "authority key identifier",
  "2.5.29.36": "policy constraints",
  "2.5.29.37": "extended key usage",
  "2.5.29.46": "freshest CRL",
  "2.5.29.54": "inhibit anyPolicy",
  "1.3.6.1.4.1.11129.2.4.2": "certificate transparency timestamps",
  "1.3.6.1.4.1.11129.2.4.3": "certificate transparency poison",
  "1.3.6.1.4.1.44363.44": "delegated credentials",
  "1.3.6.1.5.5.7.1.1": "authority information access",
  "1.3.6.1.5.5.7.1.11": "subject information access",
  "1.3.6.1.5.5.7.1.24": "TLS feature (OCSP must-staple)",
  "1.3.6.1.5.5.7.48.1.5": "OCSP no check",
  "2.16.840.1.113730.1.1": "Netscape certificate type",
  "2.16.840.1.113730.1.13": "Netscape comment",
};
