import { AsnConvert } from "@peculiar/asn1-schema";
import {
  anyExtendedKeyUsage,
  BasicConstraints,
  Certificate as CertificateSyntax,
  ExtendedKeyUsage,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_subjectAltName,
  id_kp_clientAuth,
  id_kp_serverAuth,
  SubjectAlternativeName,
  type TBSCertificate,
} from "@peculiar/asn1-x509";
import { printable } from "../errors/printable.ts";
import type { Certificate } from "./certificates.ts";
import { readSerialNumber } from "./serial_number.ts";

/** One series of the metric `certificate_expiration_timestamp_seconds`. */
export interface CertificateGauge {
  readonly labels: CertificateLabels;
  /** When the certificate expires (notAfter): seconds of Unix time. */
  readonly value: number;
}

export interface CertificateLabels {
  /** Where the certificate was met: the path of its file, "listener: ADDRESS" or "host:port". */
  readonly source: string;
  /** Decimal. */
  readonly serial_no: string;
  /** The subject's common name, of several the last; empty where it has none. */
  readonly cn: string;
  /** The DNS names among the subject alternative names, sorted, with commas between them. */
  readonly hostnames: string;
  readonly ca: Flag;
  /** Whether it says that it is for TLS servers; "0" also where it does not say what it is for. */
  readonly server: Flag;
  /** The same for TLS clients. */
  readonly client: Flag;
}

/**
 * The expiry gauge of a certificate. There is one for any certificate: labels are printable, and cut
 * at `MAX_LABEL_LENGTH`, the host names at `MAX_HOSTNAMES_LENGTH`, what is cut ends in "…"; of an
 * extension that is damaged, nothing is said.
 *
 * Source: the metrics page, "certificate_expiration_timestamp_seconds". An extended key usage of
 * "any" counts as server and as client.
 */
export function certificateGauge(certificate: Certificate, source: string): CertificateGauge {
  const { tbsCertificate: tbs } = AsnConvert.parse(certificate.der, CertificateSyntax);
  const usages = extension(tbs, id_ce_extKeyUsage, ExtendedKeyUsage) ?? [];
  const isFor = (usage: string) => flag(usages.includes(usage) || usages.includes(ANY_USAGE));
  return {
    labels: {
      source: printable(source, MAX_LABEL_LENGTH),
      serial_no: serialNumber(new Uint8Array(tbs.serialNumber)),
      cn: printable(commonName(tbs), MAX_LABEL_LENGTH),
      hostnames: printable(dnsNames(tbs).sort().join(","), MAX_HOSTNAMES_LENGTH),
      ca: flag(extension(tbs, id_ce_basicConstraints, BasicConstraints)?.cA === true),
      server: isFor(id_kp_serverAuth),
      client: isFor(id_kp_clientAuth),
    },
    value: Math.floor(certificate.notAfter.getTime() / 1_000),
  };
}

/**
 * One gauge for each series, in their order. The labels do not tell all certificates apart: of one
 * file, two may have the same serial number and names, from different issuers or a careless one. All
 * of a file is in use, so the one that expires first is that which an alert must not miss.
 */
export function firstToExpire(gauges: Iterable<CertificateGauge>): CertificateGauge[] {
  const series = new Map<string, CertificateGauge>();
  for (const gauge of gauges) {
    const key = JSON.stringify(gauge.labels);
    const known = series.get(key);
    if (known === undefined || gauge.value < known.value) series.set(key, gauge);
  }
  return [...series.values()];
}

/** In UTF-16 units. */
export const MAX_LABEL_LENGTH = 1_024;
/** A hundred names of eighty characters. */
export const MAX_HOSTNAMES_LENGTH = 8_192;

type Flag = "0" | "1";

function flag(is: boolean): Flag {
  return is ? "1" : "0";
}

/** Undefined where the certificate has none, or one that cannot be read. */
function extension<T>(
  { extensions = [] }: TBSCertificate,
  identifier: string,
  syntax: new () => T,
): T | undefined {
  const found = extensions.find(({ extnID }) => extnID === identifier);
  if (found === undefined) return undefined;
  try {
    return AsnConvert.parse(found.extnValue, syntax);
  } catch {
    return undefined;
  }
}

function dnsNames(tbs: TBSCertificate): string[] {
  const names = extension(tbs, id_ce_subjectAltName, SubjectAlternativeName) ?? [];
  return Array.from(names, ({ dNSName }) => dNSName).filter((name) => name !== undefined);
}

/** Of several the last, as Go's crypto/x509 has it. */
function commonName({ subject }: TBSCertificate): string {
  const attributes = Array.from(subject, (attribute) => [...attribute]).flat();
  const name = attributes.findLast(({ type }) => type === COMMON_NAME);
  return name?.value.toString() ?? "";
}

const COMMON_NAME = "2.5.4.3";
const ANY_USAGE: string = anyExtendedKeyUsage;

/** Decimal; what is far too long for a serial number stays hexadecimal. */
function serialNumber(bytes: Uint8Array): string {
  const { decimal, hex } = readSerialNumber(bytes);
  return decimal ?? printable(`0x${hex}`, MAX_LABEL_LENGTH);
}
