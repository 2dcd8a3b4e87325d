import { isIP } from "node:net";
import type { Extension, Name, X509Certificate } from "@peculiar/x509";
import { toHex } from "../bytes/hex.ts";
import { type Curve, type EcKeyPair, makeKeyPair } from "./key_pair.ts";
import { x509 } from "./x509.ts";

/** What a certificate may be used for in TLS. */
export type Usage = "server" | "client";

export interface Validity {
  /** Default: an hour ago, for clocks that are a little late. */
  readonly notBefore?: Date | undefined;
  /** Default: a year from now. */
  readonly notAfter?: Date | undefined;
}

export interface IssueRequest extends Validity {
  readonly commonName: string;
  /** Empty: a certificate without extended key usage. */
  readonly usages: readonly Usage[];
  /** DNS names and IP addresses, for the subject alternative name. */
  readonly names?: readonly string[] | undefined;
  /** Default: P-256. */
  readonly curve?: Curve | undefined;
}

/** A certificate and its private key (PKCS#8), both as PEM. */
export interface Issued {
  readonly certificatePem: string;
  readonly keyPem: string;
}

/**
 * A throw-away certificate authority on P-256, for trying things out and for tests. Its private
 * key lives in this object alone and is never written.
 *
 * Source of the profile: RFC 5280 sections 4.1 and 4.2.
 */
export class Authority {
  readonly certificatePem: string;
  readonly #certificate: X509Certificate;
  readonly #pair: EcKeyPair;

  private constructor(certificate: X509Certificate, pair: EcKeyPair) {
    this.certificatePem = pemOf(certificate.rawData, "CERTIFICATE");
    this.#certificate = certificate;
    this.#pair = pair;
  }

  static async create(commonName: string, validity: Validity = {}): Promise<Authority> {
    const pair = await makeKeyPair("P-256");
    const name = nameOf(commonName);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: name,
      issuer: name,
      publicKey: pair.spki,
      signingKey: pair.privateKey,
      ...commonFields(validity),
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
          true,
        ),
        await x509.SubjectKeyIdentifierExtension.create(pair.spki, false, pair.webCrypto),
      ],
    }, pair.webCrypto);
    return new Authority(certificate, pair);
  }

  /** Makes a key pair and a certificate for it, signed by this authority. */
  async issue(request: IssueRequest): Promise<Issued> {
    const { webCrypto, privateKey } = this.#pair;
    const pair = await makeKeyPair(request.curve ?? "P-256");
    const certificate = await x509.X509CertificateGenerator.create({
      subject: nameOf(request.commonName),
      issuer: this.#certificate.subjectName,
      publicKey: pair.spki,
      signingKey: privateKey,
      ...commonFields(request),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        ...requestedExtensions(request),
        await x509.SubjectKeyIdentifierExtension.create(pair.spki, false, webCrypto),
        await x509.AuthorityKeyIdentifierExtension.create(this.#pair.spki, false, webCrypto),
      ],
    }, webCrypto);
    return {
      certificatePem: pemOf(certificate.rawData, "CERTIFICATE"),
      keyPem: pemOf(pair.pkcs8, "PRIVATE KEY"),
    };
  }
}

function requestedExtensions({ usages, names = [] }: IssueRequest): Extension[] {
  const extensions: Extension[] = [];
  if (usages.length > 0) {
    extensions.push(new x509.ExtendedKeyUsageExtension(usages.map((usage) => USAGE_OIDS[usage])));
  }
  if (names.length > 0) {
    extensions.push(
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? "dns" as const : "ip" as const, value })),
      ),
    );
  }
  return extensions;
}

function commonFields({ notBefore, notAfter }: Validity): {
  serialNumber: string;
  notBefore: Date;
  notAfter: Date;
  signingAlgorithm: EcdsaParams;
} {
  return {
    serialNumber: randomSerial(),
    notBefore: wholeSeconds(notBefore ?? new Date(Date.now() - HOUR_MS)),
    notAfter: wholeSeconds(notAfter ?? new Date(Date.now() + YEAR_MS)),
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
  };
}

/** 16 bytes, of which the first makes the number positive and its encoding of a fixed length. */
function randomSerial(): string {
  const serial = globalThis.crypto.getRandomValues(new Uint8Array(16));
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  return toHex(serial);
}

/** RFC 5280 4.1.2.5.2 forbids fractions of a second. */
function wholeSeconds(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 1_000) * 1_000);
}

function nameOf(commonName: string): Name {
  return new x509.Name([{ CN: [{ utf8String: commonName }] }]);
}

function pemOf(der: BufferSource, label: string): string {
  return `${x509.PemConverter.encode(der, label)}\n`;
}

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

const USAGE_OIDS: Readonly<Record<Usage, string>> = {
  server: x509.ExtendedKeyUsage.serverAuth,
  client: x509.ExtendedKeyUsage.clientAuth,
};
