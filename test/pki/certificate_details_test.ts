import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { toHex } from "../../src/bytes/hex.ts";
import { readBundle } from "../../src/pki/bundle.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import {
  type CertificateDetails,
  describeCertificate,
  describeRequest,
} from "../../src/pki/certificate_details.ts";
import { parseCertificate, readCertificates } from "../../src/pki/certificates.ts";
import { type CertificatePlan, certify } from "../support/certificates.ts";
import { genpkey, keyOf, openssl } from "../support/openssl.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

let dir: TempDir;
before(() => {
  dir = makeTempDir();
});
after(() => dir.remove());

const ec = (curve: string, ...more: string[]) =>
  genpkey("-algorithm", "EC", "-pkeyopt", `ec_paramgen_curve:${curve}`, ...more);

const KEYS = {
  "RSA 2048": () => keyOf("RSA 2048"),
  "RSA 1024": () => keyOf("RSA 1024"),
  "RSA-PSS": () => genpkey("-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"),
  "P-224": () => keyOf("P-224"),
  "P-256": () => keyOf("P-256"),
  "P-256 compressed": () => openssl(["ec", "-conv_form", "compressed"], keyOf("P-256")),
  "P-256 explicit": () => ec("P-256", "-pkeyopt", "ec_param_enc:explicit"),
  "P-384": () => keyOf("P-384"),
  "P-521": () => keyOf("P-521"),
  "secp256k1": () => ec("secp256k1"),
  "brainpoolP384r1": () => ec("brainpoolP384r1"),
  "secp192k1": () => ec("secp192k1"),
  "Ed25519": () => keyOf("Ed25519"),
  "Ed448": () => genpkey("-algorithm", "ED448"),
} as const satisfies Record<string, () => Uint8Array>;

interface Shape extends CertificatePlan {
  readonly key?: keyof typeof KEYS;
}

const san = (...names: string[]) => ({ extensions: [`subjectAltName=${names.join(",")}`] });
const hundred = Array.from({ length: 100 }, (_, index) => `DNS:host-${index}.example.com`);
const ca = ["basicConstraints=critical,CA:TRUE,pathlen:2", "keyUsage=critical,keyCertSign,cRLSign"];
const pss = (...options: string[]) => ["rsa_padding_mode:pss", ...options];
const sign = (...options: string[]) => options.flatMap((option) => ["-sigopt", option]);

/** What the certificates are like. */
const SHAPES: Readonly<Record<string, Shape>> = {
  "RSA": { key: "RSA 2048" },
  "RSA of 1024 bits, SHA-1": { key: "RSA 1024", options: ["-sha1"] },
  "RSA, MD5": { key: "RSA 2048", options: ["-md5"] },
  "RSA, SHA-224": { key: "RSA 2048", options: ["-sha224"] },
  "RSA, SHA-384": { key: "RSA 2048", options: ["-sha384"] },
  "RSA, SHA3-256": { key: "RSA 2048", options: ["-sha3-256"] },
  "RSA-PSS": { key: "RSA-PSS" },
  "RSA key, PSS signature": { key: "RSA 2048", options: sign(...pss("rsa_pss_saltlen:32")) },
  "PSS with SHA-1's defaults": {
    key: "RSA 2048",
    options: ["-sha1", ...sign(...pss("rsa_pss_saltlen:20"))],
  },
  "PSS, salt of 20, MGF1 of another hash": {
    key: "RSA 2048",
    options: ["-sha512", ...sign(...pss("rsa_pss_saltlen:20", "rsa_mgf1_md:sha256"))],
  },
  "P-224": { key: "P-224" },
  "P-256": { key: "P-256" },
  "P-256, compressed point": { key: "P-256 compressed" },
  "P-256, explicit parameters": { key: "P-256 explicit" },
  "P-384": { key: "P-384", options: ["-sha384"] },
  "P-521": { key: "P-521", options: ["-sha512"] },
  "ECDSA, SHA-1": { options: ["-sha1"] },
  "secp256k1": { key: "secp256k1" },
  "brainpool": { key: "brainpoolP384r1" },
  "a curve without a name here": { key: "secp192k1" },
  "Ed25519": { key: "Ed25519" },
  "Ed448": { key: "Ed448" },

  "UTF-8 names": { subject: "/C=SE/O=Örebro 株式会社/CN=пример" },
  "BMP strings": { subject: "/O=пример/CN=例え", mask: "default" },
  "T61 strings": { subject: "/O=Örebro/CN=Ängel", mask: "default" },
  "printable and IA5 strings": { subject: "/CN=a/emailAddress=a@example.com", mask: "default" },
  "a relative name of several parts": { subject: "/O=Example+OU=Unit/CN=a+serialNumber=17" },
  "domain components": { subject: "/DC=com/DC=example/UID=u/GN=G/SN=S/title=T/CN=a" },
  "special characters": { subject: '/O=a, b\\+c \\"d\\" <e>;\\\\/CN=#a ' },
  "no common name": { subject: "/O=Example/OU=A/OU=B" },
  "several common names": { subject: "/CN=a/CN=b" },
  "an empty subject": { subject: "/", ...san("DNS:a.example") },

  "serial 0": { options: ["-set_serial", "0"] },
  "serial 1": { options: ["-set_serial", "1"] },
  "serial 128, with a zero byte before": { options: ["-set_serial", "128"] },
  "a negative serial": { options: ["-set_serial", "-129"] },
  "a long serial": { options: ["-set_serial", `0x7f${"ab".repeat(19)}`] },
  "a serial of 40 bytes": { options: ["-set_serial", `0x${"f1".repeat(40)}`] },

  "until 2049": { dates: ["20000101000000Z", "20491231235959Z"] },
  "from 2050 on": { dates: ["20500101000000Z", "20510101000000Z"] },
  "of the last century": { dates: ["19500101000000Z", "19991231235959Z"] },
  "without end": { dates: ["20200229123456Z", "99991231235959Z"] },

  "an IPv4 and IPv6 addresses": san("IP:192.0.2.1", "IP:2001:db8::1", "IP:::", "IP:::ffff:1.2.3.4"),
  "all kinds of alternative names": san(
    ...["DNS:*.example.com", "email:a@example.com", "URI:spiffe://example.com/a?b=c", "RID:1.2.3"],
    "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:user@example.com",
  ),
  "a directory name": {
    extensions: ["subjectAltName=dirName:d"],
    config: "[d]\nC=SE\nCN=inner",
  },
  "100 alternative names": san(...hundred),

  "a certificate authority": { extensions: ca },
  "an authority without limits": { extensions: ["basicConstraints=CA:TRUE"] },
  "an authority of path length 0": { extensions: ["basicConstraints=critical,CA:TRUE,pathlen:0"] },
  "CA:FALSE": { extensions: ["basicConstraints=CA:FALSE"] },
  "all key usages": {
    extensions: [
      "keyUsage=digitalSignature,nonRepudiation,keyEncipherment,dataEncipherment,keyAgreement," +
      "keyCertSign,cRLSign,encipherOnly,decipherOnly",
    ],
  },
  "all extended key usages": {
    extensions: [
      "extendedKeyUsage=serverAuth,clientAuth,codeSigning,emailProtection,timeStamping," +
      "OCSPSigning,anyExtendedKeyUsage,1.2.3.4",
    ],
  },
  "name constraints": {
    extensions: [
      ...ca,
      "nameConstraints=critical,permitted;DNS:.example.com,permitted;IP:10.0.0.0/255.0.0.0," +
      "excluded;email:example.org,excluded;DNS:bad.example.com",
    ],
  },
  "places to ask": {
    extensions: [
      "authorityInfoAccess=OCSP;URI:http://ocsp.example/,caIssuers;URI:http://ca.example/ca.crt",
      "crlDistributionPoints=URI:http://crl.example/a.crl,URI:ldap://crl.example/b",
    ],
  },
  "another subject key identifier": { extensions: ["subjectKeyIdentifier=01:02:03"] },
  "extensions that nobody knows": {
    extensions: ["1.2.3.4.5=critical,ASN1:UTF8:x", "2.16.840.1.113730.1.13=ASN1:IA5:comment"],
  },
};

/** A certificate of the shape, PEM. */
function make({ key = "P-256", ...plan }: Shape): Uint8Array {
  return certify(dir, keyPath(key), plan);
}

const paths = new Map<string, string>();

function keyPath(name: keyof typeof KEYS): string {
  const path = paths.get(name) ?? dir.write(`${name}.key`, KEYS[name]());
  paths.set(name, path);
  return path;
}

/** The fields that are compared, as `openssl x509` shows them. */
type Fields = Readonly<Record<string, string | undefined>>;

function byOpenssl(certificate: Uint8Array): Fields {
  const nameOptions = "RFC2253,-esc_msb,utf8,oid,-dump_der,-dump_nostr,-dump_unknown";
  const text = new TextDecoder().decode(openssl([
    ...["x509", "-noout", "-text", "-serial", "-subject", "-issuer", "-dates"],
    ...["-dateopt", "iso_8601", "-fingerprint", "-sha256", "-nameopt", nameOptions],
  ], certificate));
  const line = (pattern: RegExp) => pattern.exec(text)?.[1]?.trim();
  const extension = (name: string) =>
    line(new RegExp(`${name}:(?: critical)? *\n(?! {8}\\S) +(.*(?:\n {16}.+)*)`));
  return {
    version: line(/Version: (\d)/),
    serial: line(/^serial=((?:.*\\\n)*.*)/m)?.replaceAll("\\\n", "").toLowerCase(),
    subject: line(/^subject=(.*)/m),
    issuer: line(/^issuer=(.*)/m),
    notBefore: line(/^notBefore=(.*)/m),
    notAfter: line(/^notAfter=(.*)/m),
    sha256: line(/^sha256 Fingerprint=(.*)/mi)?.replaceAll(":", "").toLowerCase(),
    bits: line(/Public-Key: \((\d+) bit\)/),
    signature: line(/Signature Algorithm: (.*(?:\n +(?:Hash|Mask|Salt).*)*)/)?.replace(/\s+/g, " "),
    names: extension("Subject Alternative Name"),
    keyUsages: extension("X509v3 Key Usage"),
    extendedKeyUsages: extension("Extended Key Usage"),
    basicConstraints: extension("Basic Constraints"),
    nameConstraints: extension("Name Constraints")?.replace(/\s+/g, " "),
    subjectKeyId: extension("Subject Key Identifier")?.replaceAll(":", "").toLowerCase(),
    authorityKeyId: /Authority Key Identifier: *\n +(?:keyid:)?([0-9A-F:]+)$/m.exec(text)?.[1]
      ?.replaceAll(":", "").toLowerCase(),
    ocspUrls: Array.from(text.matchAll(/OCSP - URI:(.*)/g), ([, url]) => url).join(),
    issuerUrls: Array.from(text.matchAll(/CA Issuers - URI:(.*)/g), ([, url]) => url).join(),
    crlUrls: Array.from(text.matchAll(/^ +URI:(.*)/gm), ([, url]) => url).join(),
  };
}

/** The same of what is read here, in openssl's words. */
function byUs(details: CertificateDetails): Fields {
  const { extensions, key, serial } = details;
  const { basicConstraints, nameConstraints, subjectKeyId, authorityKeyId } = extensions;
  const limit = basicConstraints?.pathLength;
  return {
    version: String(details.version),
    serial: serial.hex,
    subject: rfc2253(details.subject.text),
    issuer: rfc2253(details.issuer.text),
    notBefore: isoDate(details.notBefore),
    notAfter: isoDate(details.notAfter),
    sha256: toHex(details.sha256),
    bits: key.bits === undefined || key.type === "ed25519" ? undefined : String(key.bits),
    signature: SIGNATURES[details.signature.label] ?? pssByOpenssl(details.signature.label),
    names: extensions.names?.map(nameByOpenssl).join(", "),
    keyUsages: extensions.keyUsages?.map((usage) => KEY_USAGES[usage]).join(", "),
    extendedKeyUsages: extensions.extendedKeyUsages
      ?.map((usage) => EXTENDED_KEY_USAGES[usage] ?? usage).join(", "),
    basicConstraints: basicConstraints &&
      `CA:${String(basicConstraints.isCa).toUpperCase()}${
        limit === undefined ? "" : `, pathlen:${limit}`
      }`,
    nameConstraints: nameConstraints && [
      ...["Permitted:", ...nameConstraints.permitted.map(nameByOpenssl)],
      ...["Excluded:", ...nameConstraints.excluded.map(nameByOpenssl)],
    ].join(" "),
    subjectKeyId: subjectKeyId && toHex(subjectKeyId),
    authorityKeyId: authorityKeyId && toHex(authorityKeyId),
    ocspUrls: extensions.ocspUrls.join(),
    issuerUrls: extensions.issuerUrls.join(),
    crlUrls: extensions.crlUrls.join(),
  };
}

/** All in reverse, joined by a comma alone; attributes by object identifier. */
function rfc2253(text: string): string {
  return parts(text, ", ").map((name) => parts(name, "+").toReversed().join("+"))
    .toReversed().join(",")
    .replace(/(^|[,+])(\w+)=/g, (_, before, type) => `${before}${OIDS[type] ?? type}=`);
}

/** What stands between separators, of which those behind a backslash are none. */
function parts(text: string, separator: string): string[] {
  const found = [""];
  for (const [token] of text.matchAll(/\\.|, |./gs)) {
    if (token === separator) found.push("");
    else found.push(`${found.pop()}${token}`);
  }
  return found;
}

function isoDate(date: Date): string {
  return date.toISOString().replace("T", " ").replace(".000", "");
}

function nameByOpenssl({ type, value }: { type: string; value: string }): string {
  switch (type) {
    case "IP":
      return `IP${value.includes("/") ? "" : " Address"}:${longIp(value)}`;
    case "RID":
      return `Registered ID:${value}`;
    case "othername":
      return `othername: ${value.replace("1.3.6.1.4.1.311.20.2.3:", "UPN::")}`;
    case "DirName":
      return `DirName:/${value.replaceAll(", ", "/")}`;
    default:
      return `${type}:${value}`;
  }
}

/** OpenSSL shortens no IPv6 address, and writes a mask out. */
function longIp(address: string): string {
  if (address === "10.0.0.0/8") return "10.0.0.0/255.0.0.0";
  if (!address.includes(":")) return address;
  const [head = "", tail = ""] = address.split("::").map((part) => part.replace(/^:|:$/g, ""));
  const groups = (part: string) => part === "" ? [] : part.split(":");
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: missing }, () => "0"), ...groups(tail)];
  return all.join(":").toUpperCase();
}

function pssByOpenssl(label: string): string | undefined {
  const found = /^RSA-PSS with (\S+?)(?:, MGF1 with (\S+))?, salt of (\d+) bytes$/.exec(label);
  if (found === null) return undefined;
  const [, hash = "", mask = hash, salt] = found;
  const named = (name: string) =>
    `${name.toLowerCase().replace("-", "")}${name === "SHA-1" ? " (default)" : ""}`;
  const length = `0x${Number(salt).toString(16).toUpperCase()}${salt === "20" ? " (default)" : ""}`;
  return `rsassaPss Hash Algorithm: ${named(hash)} Mask Algorithm: mgf1 with ${named(mask)} ` +
    `Salt Length: ${length}`;
}

const OIDS: Readonly<Record<string, string>> = {
  C: "2.5.4.6",
  CN: "2.5.4.3",
  DC: "0.9.2342.19200300.100.1.25",
  E: "1.2.840.113549.1.9.1",
  G: "2.5.4.42",
  O: "2.5.4.10",
  OU: "2.5.4.11",
  SN: "2.5.4.4",
  T: "2.5.4.12",
};

const SIGNATURES: Readonly<Record<string, string>> = {
  "RSA with MD5": "md5WithRSAEncryption",
  "RSA with SHA-1": "sha1WithRSAEncryption",
  "RSA with SHA-224": "sha224WithRSAEncryption",
  "RSA with SHA-256": "sha256WithRSAEncryption",
  "RSA with SHA-384": "sha384WithRSAEncryption",
  "RSA with SHA3-256": "RSA-SHA3-256",
  "ECDSA with SHA-1": "ecdsa-with-SHA1",
  "ECDSA with SHA-256": "ecdsa-with-SHA256",
  "ECDSA with SHA-384": "ecdsa-with-SHA384",
  "ECDSA with SHA-512": "ecdsa-with-SHA512",
  "Ed25519": "ED25519",
  "Ed448": "ED448",
};

const KEY_USAGES: Readonly<Record<string, string>> = {
  digitalSignature: "Digital Signature",
  contentCommitment: "Non Repudiation",
  keyEncipherment: "Key Encipherment",
  dataEncipherment: "Data Encipherment",
  keyAgreement: "Key Agreement",
  keyCertSign: "Certificate Sign",
  cRLSign: "CRL Sign",
  encipherOnly: "Encipher Only",
  decipherOnly: "Decipher Only",
};

const EXTENDED_KEY_USAGES: Readonly<Record<string, string>> = {
  any: "Any Extended Key Usage",
  serverAuth: "TLS Web Server Authentication",
  clientAuth: "TLS Web Client Authentication",
  codeSigning: "Code Signing",
  emailProtection: "E-mail Protection",
  timeStamping: "Time Stamping",
  OCSPSigning: "OCSP Signing",
};

describe("describeCertificate reads what openssl does", () => {
  for (const [what, shape] of Object.entries(SHAPES)) {
    test(what, () => {
      const pem = make(shape);
      assert.deepEqual(byUs(describeCertificate(readCertificates(pem)[0])), byOpenssl(pem));
    });
  }

  test("version 1", () => {
    const request = ["req", "-new", "-key", keyPath("P-256"), "-subj", "/CN=old"];
    const pem = openssl(["x509", "-req", "-signkey", keyPath("P-256")], openssl(request));
    assert.deepEqual(byUs(describeCertificate(readCertificates(pem)[0])), byOpenssl(pem));
  });
});

describe("describeCertificate", () => {
  const details = (shape: Shape) => describeCertificate(readCertificates(make(shape))[0]);

  test("computes the SKI that openssl does, whatever the certificate says it is", () => {
    for (const key of ["RSA 2048", "P-256", "P-521", "Ed25519", "Ed448", "RSA-PSS"] as const) {
      const { key: own, extensions } = details({ key });
      assert.equal(toHex(own.ski), toHex(extensions.subjectKeyId!), key);
      const other = details({ key, extensions: ["subjectKeyIdentifier=01:02"] });
      assert.equal(toHex(other.key.ski), toHex(own.ski), key);
    }
  });

  test("names the kind of key, also of one that is not served", () => {
    const labels = (["RSA 2048", "RSA-PSS", "P-256", "secp256k1", "Ed25519", "Ed448"] as const)
      .map((key) => details({ key }).key.label);
    assert.deepEqual(labels, [
      ...["RSA 2048", "RSASSA-PSS 2048", "EC P-256", "EC secp256k1", "Ed25519", "Ed448"],
    ]);
  });

  test("names extensions that it does not look into, by object identifier at least", () => {
    const { others } = details(SHAPES["extensions that nobody knows"]!).extensions;
    assert.deepEqual(others, [
      { oid: "1.2.3.4.5", name: undefined, isCritical: true, isDamaged: false },
      {
        oid: "2.16.840.1.113730.1.13",
        name: "Netscape comment",
        isCritical: false,
        isDamaged: false,
      },
    ]);
  });

  for (
    const [oid, name] of [
      ["2.5.29.17", "subject alternative name"],
      ["2.5.29.15", "key usage"],
      ["2.5.29.19", "basic constraints"],
      ["2.5.29.30", "name constraints"],
      ["2.5.29.31", "CRL distribution points"],
      ["2.5.29.37", "extended key usage"],
      ["1.3.6.1.5.5.7.1.1", "authority information access"],
    ] as const
  ) {
    test(`tells of a damaged extension and reads the others: ${name}`, () => {
      const { extensions } = details({ extensions: [`${oid}=DER:0402ABCD`] });
      assert.deepEqual(extensions.others, [{ oid, name, isCritical: false, isDamaged: true }]);
      assert.equal(extensions.subjectKeyId?.length, 20);
    });
  }
});

test("describeRequest reads what a signing request asks for", () => {
  const config = dir.write("asked.conf", "[req]\ndistinguished_name=dn\n[dn]\n");
  const pem = openssl([
    ...["req", "-new", "-key", keyPath("P-256"), "-config", config, "-subj", "/O=Example/CN=asked"],
    ...["-addext", "subjectAltName=DNS:a.example", "-addext", "extendedKeyUsage=serverAuth"],
  ]);
  const [request] = readBundle(pem).requests;
  const { subject, key, signature, extensions } = describeRequest(request!);
  assert.equal(subject.text, "O=Example, CN=asked");
  assert.equal(key.label, "EC P-256");
  assert.equal(signature.label, "ECDSA with SHA-256");
  assert.deepEqual(extensions.names, [{ type: "DNS", value: "a.example" }]);
  assert.deepEqual(extensions.extendedKeyUsages, ["serverAuth"]);
  const plain = openssl(["req", "-new", "-key", keyPath("Ed25519"), "-subj", "/CN=plain"]);
  assert.equal(describeRequest(readBundle(plain).requests[0]!).extensions.names, undefined);
});

test("any change to a certificate gives details or a KeylessError", { timeout: 20_000 }, () => {
  const certificates = ["name constraints", "all kinds of alternative names", "places to ask"]
    .map((name) => readCertificates(make(SHAPES[name]!))[0].der);
  const change = fc.tuple(fc.constantFrom(...certificates), fc.nat(), fc.nat({ max: 255 }));
  fc.assert(
    fc.property(change, ([der, at, byte]) => {
      const copy = new Uint8Array(der);
      copy[at % copy.length] = byte;
      try {
        describeCertificate(parseCertificate(copy));
      } catch (error) {
        assert.ok(error instanceof KeylessError, String(error));
      }
    }),
    { numRuns: 300 },
  );
});
