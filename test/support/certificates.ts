import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { openssl } from "./openssl.ts";
import type { TempDir } from "./temp_dir.ts";

/** A certificate as `openssl` is told to make it. */
export interface CertificatePlan {
  /** As `-subj`: "/C=SE/O=Example/CN=leaf", "+" between the parts of one relative name. */
  readonly subject?: string;
  /**
   * Lines of a section of extensions: "basicConstraints=critical,CA:TRUE". The key identifiers come
   * with them, unless they are named here.
   */
  readonly extensions?: readonly string[];
  /** Further sections and lines of the configuration that they name. */
  readonly config?: string;
  /** OpenSSL's `string_mask`, which chooses the types of strings in the subject. */
  readonly mask?: string;
  /** Further options of `openssl req -x509`. */
  readonly options?: readonly string[];
  /** "20500101000000Z" each: from when on, and until when. */
  readonly dates?: readonly [from: string, to: string];
  /** Paths of the issuer's certificate and key; it signs itself where they are left out. */
  readonly issuer?: { readonly certificate: string; readonly key: string };
}

/**
 * Makes a certificate by `openssl req -x509`, or where dates are given by `openssl ca`, in files of
 * the directory. None of the system's default extensions is in it.
 *
 * @param key path of the private key
 * @returns PEM
 */
export function certify(dir: TempDir, key: string, plan: CertificatePlan = {}): Uint8Array {
  const { subject = "/CN=leaf", options = [], config = "", mask = "utf8only" } = plan;
  const request = ["[req]", "distinguished_name=dn", `string_mask=${mask}`, "[dn]"];
  const lines = ["[x]", ...extensionsOf(plan), config, ...request];
  const conf = dir.write("req.conf", `utf8=yes\n${lines.join("\n")}\n`);
  const named = ["-config", conf, "-key", key, "-subj", subject, "-utf8", ...options];
  if (plan.dates !== undefined) return certifyWithDates(dir, key, plan, named);
  const { issuer } = plan;
  const signed = issuer === undefined ? [] : ["-CA", issuer.certificate, "-CAkey", issuer.key];
  return openssl(["req", "-x509", ...named, "-extensions", "x", ...signed]);
}

/** `openssl req` of 3.0 takes days from now alone. */
function certifyWithDates(
  dir: TempDir,
  key: string,
  plan: CertificatePlan,
  named: readonly string[],
): Uint8Array {
  const { config = "", dates = ["", ""], issuer } = plan;
  const request = dir.write("ca.csr", openssl(["req", "-new", ...named]));
  dir.write("index", "");
  const conf = dir.write(
    "ca.conf",
    [
      ...["[ca]", "default_ca=c", "[c]", `database=${dir.at("index")}`, "policy=p", "preserve=yes"],
      ...[`new_certs_dir=${dir.path}`, "rand_serial=yes", "default_md=sha256", "unique_subject=no"],
      ...["[p]", "commonName=optional", "[x]", ...extensionsOf(plan), config],
    ].join("\n"),
  );
  const signer = issuer === undefined
    ? ["-selfsign", "-keyfile", key]
    : ["-cert", issuer.certificate, "-keyfile", issuer.key];
  openssl([
    ...["ca", "-batch", "-notext", "-config", conf, "-in", request, "-out", dir.at("ca.crt")],
    ...["-startdate", dates[0], "-enddate", dates[1], "-extensions", "x", ...signer],
  ]);
  return readFileSync(dir.at("ca.crt"));
}

/** DER of a certificate with a key on P-256, the point of which is made one of no known form. */
export function withDamagedPoint(der: Uint8Array): Uint8Array {
  const damaged = Buffer.from(der);
  damaged[damaged.indexOf(P256_POINT) + P256_POINT.length - 1] = 0x05;
  return damaged;
}

/** A bit string of 65 bytes, the first of which says that the point is not compressed. */
const P256_POINT = Buffer.from([0x03, 0x42, 0x00, 0x04]);

function extensionsOf({ extensions = [] }: CertificatePlan): string[] {
  const defaults = ["subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid:always"];
  const isNamed = (line: string) =>
    extensions.some((other) => other.split("=")[0] === line.split("=")[0]);
  return [...defaults.filter((line) => !isNamed(line)), ...extensions];
}
