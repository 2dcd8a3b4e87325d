import { createHash } from "node:crypto";
import { AsnConvert } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  Certificate as CertificateSyntax,
  Extensions as ExtensionsSyntax,
  Name,
} from "@peculiar/asn1-x509";
import type { Pkcs10CertificateRequest } from "@peculiar/x509";
import { type AsnType, fromBER, Sequence } from "asn1js";
import { KeylessError, messageOf } from "../errors/errors.ts";
import type { Certificate, CertificateRequest } from "./certificates.ts";
import { type DistinguishedName, readName } from "./distinguished_name.ts";
import { type Extensions, readExtensions } from "./extensions.ts";
import { describeKey, type KeyDetails } from "./key_details.ts";
import { readSerialNumber, type SerialNumber } from "./serial_number.ts";
import { readSignatureAlgorithm, type SignatureAlgorithm } from "./signature_algorithm.ts";
import type { Validity } from "./validity.ts";
import { x509 } from "./x509.ts";

/** What a certificate says. Texts are as they stand there: any characters. */
export interface CertificateDetails extends RequestDetails, Validity {
  /** 1, 2 or 3. */
  readonly version: number;
  readonly serial: SerialNumber;
  readonly issuer: DistinguishedName;
  /** 32 bytes. */
  readonly sha256: Uint8Array;
  /** 20 bytes. */
  readonly sha1: Uint8Array;
}

/** What a signing request says, and a certificate too. */
export interface RequestDetails {
  readonly subject: DistinguishedName;
  readonly key: KeyDetails;
  readonly signature: SignatureAlgorithm;
  readonly extensions: Extensions;
}

/**
 * Describes a certificate that was parsed before. An extension that is damaged is told as such.
 *
 * @throws KeylessError "CERTIFICATE_FORMAT" for one whose other parts are damaged
 */
export function describeCertificate(certificate: Certificate): CertificateDetails {
  return typed("certificate", () => certificateDetails(certificate));
}

/**
 * Describes a request that was parsed before.
 *
 * @throws KeylessError "CERTIFICATE_FORMAT" for one that is damaged
 */
export function describeRequest(request: CertificateRequest): RequestDetails {
  return typed("certificate signing request", () => requestDetails(request));
}

function certificateDetails({ der, spki, notBefore, notAfter }: Certificate): CertificateDetails {
  const { tbsCertificate, signatureAlgorithm } = AsnConvert.parse(der, CertificateSyntax);
  return {
    version: tbsCertificate.version + 1,
    serial: readSerialNumber(new Uint8Array(tbsCertificate.serialNumber)),
    subject: readName(tbsCertificate.subject),
    issuer: readName(tbsCertificate.issuer),
    notBefore,
    notAfter,
    key: describeKey(spki),
    signature: readSignatureAlgorithm(signatureAlgorithm),
    extensions: readExtensions(tbsCertificate.extensions ?? []),
    sha256: digest("sha256", der),
    sha1: digest("sha1", der),
  };
}

function requestDetails({ der, spki }: CertificateRequest): RequestDetails {
  const request = new x509.Pkcs10CertificateRequest(new Uint8Array(der));
  return {
    subject: readName(AsnConvert.parse(request.subjectName.toArrayBuffer(), Name)),
    key: describeKey(spki),
    signature: readSignatureAlgorithm(signatureAlgorithmOf(der)),
    extensions: readExtensions(requestedExtensions(request)),
  };
}

/** RFC 2985 5.4.2: an attribute that holds them all. */
function requestedExtensions(request: Pkcs10CertificateRequest): ExtensionsSyntax | [] {
  const value = request.getAttribute(EXTENSION_REQUEST)?.values[0];
  return value === undefined ? [] : AsnConvert.parse(value, ExtensionsSyntax);
}

/** The second part of all that is signed. */
function signatureAlgorithmOf(der: Uint8Array): AlgorithmIdentifier {
  const { result } = fromBER(der);
  const parts = result instanceof Sequence ? result.valueBlock.value : [];
  return AsnConvert.parse((parts[1] as AsnType).toBER(), AlgorithmIdentifier);
}

function typed<T>(what: string, describe: () => T): T {
  try {
    return describe();
  } catch (cause) {
    const message = `a ${what} whose parts cannot be read: ${messageOf(cause)}`;
    throw new KeylessError("CERTIFICATE_FORMAT", message, { cause });
  }
}

function digest(name: "sha1" | "sha256", bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash(name).update(bytes).digest());
}

const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
