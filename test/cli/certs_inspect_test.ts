import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, truncateSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { toHex } from "../../src/bytes/hex.ts";
import { UNSAFE_CHARACTERS } from "../../src/errors/printable.ts";
import { readCertificates } from "../../src/pki/certificates.ts";
import { certify, withDamagedPoint } from "../support/certificates.ts";
import type { CliResult } from "../support/cli.ts";
import { runHere } from "../support/run_here.ts";
import { keyOf, openssl, PASSOUT, PASSPHRASE } from "../support/openssl.ts";
import { closedPort } from "../support/plain_server.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

let dir: TempDir;
/** Paths. */
let files: Readonly<Record<"root" | "chain" | "key" | "strayKey" | "expired" | "request", string>>;

before(() => {
  dir = makeTempDir();
  const rootKey = dir.write("root.key", keyOf("P-384"));
  const key = dir.write("server.key", keyOf("P-256"));
  const root = dir.write(
    "root.pem",
    certify(dir, rootKey, { subject: "/O=Example/CN=root", extensions: [CA] }),
  );
  const leaf = certify(dir, key, {
    subject: "/CN=server",
    extensions: [
      ...["subjectAltName=DNS:server.example,IP:192.0.2.1", "extendedKeyUsage=serverAuth"],
      "keyUsage=critical,digitalSignature",
    ],
    issuer: { certificate: root, key: rootKey },
  });
  const request = openssl(["req", "-new", "-key", key, "-subj", "/CN=asked"]);
  files = {
    root,
    key,
    chain: dir.write("chain.pem", Buffer.concat([leaf, readFileSync(root)])),
    strayKey: dir.write("stray.key", keyOf("Ed25519")),
    expired: dir.write(
      "expired.pem",
      certify(dir, key, { subject: "/CN=old", dates: ["20000101000000Z", "20010101000000Z"] }),
    ),
    request: dir.write("request.pem", request),
  };
});
after(() => dir.remove());

const CA = "basicConstraints=critical,CA:TRUE";

async function inspect(...args: string[]): Promise<CliResult> {
  return await runHere(["certs", "inspect", ...args]);
}

/** The columns that a label stands in front of, by their label. */
function row(text: string, label: string): string | undefined {
  return new RegExp(`^ *${label} {2,}(.*)$`, "m").exec(text)?.[1];
}

function skiOf(path: string): string {
  const shown = openssl(["x509", "-noout", "-ext", "subjectKeyIdentifier"], readFileSync(path));
  return new TextDecoder().decode(shown).split("\n")[1]!.trim().replaceAll(":", "").toLowerCase();
}

describe("certs inspect shows", () => {
  test("a chain and its key, the important first", async () => {
    const { code, stdout, stderr } = await inspect(files.chain, files.key);
    assert.deepEqual([code, stderr], [0, ""]);
    const labels = stdout.split("\n").map((line) => line.trim().split("  ")[0]);
    const wanted = ["valid", "names", "SKI", "key", "key usage", "extended usage", "issuer"];
    assert.deepEqual(labels.slice(0, 4), [files.chain, "", "1", "valid"]);
    assert.deepEqual(labels.slice(3, 3 + wanted.length), wanted);
    assert.match(row(stdout, "valid") ?? "", /^\d{4}-\d\d-\d\dT.*Z to .*Z, \d\d days left$/);
    assert.equal(row(stdout, "names"), "DNS:server.example, IP:192.0.2.1");
    assert.equal(row(stdout, "SKI"), skiOf(files.chain));
    assert.equal(row(stdout, "issuer"), "O=Example, CN=root");
    assert.equal(row(stdout, "chain"), "1 → 2: up to a root that is signed by itself");
    assert.ok(stdout.includes(`belongs to certificate CN=server of ${files.chain}`));
  });

  test("a negative serial number as openssl does", async () => {
    const certificate = certify(dir, files.key, { options: ["-set_serial", "-5"] });
    const { stdout } = await inspect(dir.write("negative.pem", certificate));
    assert.equal(row(stdout, "serial"), "-5 (-0x05)");
    assert.match(stdout, /warning +has a serial number that is not above 0/);
  });

  test("a signing request", async () => {
    const { code, stdout } = await inspect(files.request);
    assert.equal(code, 0);
    assert.match(stdout, /signing request {2}CN=asked/);
    assert.equal(row(stdout, "SKI"), skiOf(files.chain));
  });

  test("the same as JSON, by either flag", async () => {
    const { code, stdout } = await inspect("--json", files.chain, files.key);
    const document = JSON.parse(stdout);
    const [certificate, root] = document.sources[0].certificates;
    assert.equal(code, 0);
    assert.equal(document.version, 1);
    assert.deepEqual(certificate.names, [
      { type: "DNS", value: "server.example" },
      { type: "IP", value: "192.0.2.1" },
    ]);
    assert.deepEqual(certificate.subjectAttributes, [{ type: "CN", value: "server" }]);
    assert.equal(certificate.key.ski, skiOf(files.chain));
    assert.deepEqual([certificate.ca, root.ca], [null, true]);
    assert.deepEqual(document.sources[0].chain.path, [0, 1]);
    assert.equal(document.sources[1].keys[0].belongsTo[0].subject, "CN=server");
    const other = await inspect("--format", "json", files.chain, files.key);
    assert.equal(other.stdout, stdout);
  });

  test("a line for each in the short form", async () => {
    const { code, stdout } = await inspect("--format", "short", files.chain, files.key);
    const lines = stdout.trimEnd().split("\n");
    assert.deepEqual([code, lines.length], [0, 4]);
    assert.match(lines[0]!, /^SOURCE +SUBJECT +EXPIRES +DAYS LEFT +KEY +SKI$/);
    assert.ok(lines[1]!.includes("CN=server") && lines[1]!.endsWith(skiOf(files.chain)));
    assert.match(lines[3]!, /\(private key\)/);
  });

  test("PEM that openssl reads, with the same bytes, and never a key", async () => {
    const { code, stdout } = await inspect("--format", "pem", files.chain, files.key);
    const wanted = readCertificates(readFileSync(files.chain)).map(({ der }) => toHex(der));
    const printed = readCertificates(Buffer.from(stdout)).map(({ der }) => toHex(der));
    assert.equal(code, 0);
    assert.deepEqual(printed, wanted);
    assert.ok(!stdout.includes("PRIVATE"));
  });

  test("PKCS#12 with its passphrase, and what to do without", async () => {
    const options = ["-export", "-in", files.chain, "-inkey", files.key, ...PASSOUT];
    const path = dir.write("all.p12", openssl(["pkcs12", ...options]));
    const passphrase = dir.write("passphrase", PASSPHRASE);
    const { code, stdout } = await inspect("--passphrase-file", passphrase, path);
    assert.equal(code, 0);
    assert.match(stdout, /private key +EC P-256/);
    assert.match(stdout, /belongs to certificate CN=server/);
    const without = await inspect(path);
    assert.equal(without.code, 2);
    assert.match(without.stderr, /all\.p12: .*encrypted.*--passphrase-file/);
  });
});

describe("certs inspect checks", () => {
  test("the chain against --ca, as OpenSSL does", async () => {
    const { code, stdout } = await inspect("--ca", files.root, "--purpose", "server", files.chain);
    assert.equal(code, 0);
    assert.equal(row(stdout, "trust"), "verified: CN=server → O=Example, CN=root");
    const client = await inspect("--ca", files.root, "--purpose", "client", files.chain);
    assert.equal(client.code, 1);
    assert.match(row(client.stdout, "trust") ?? "", /^refused: unsuitable certificate purpose/);
  });

  test("and names the issuer that is missing", async () => {
    const { code, stdout } = await inspect("--ca", files.expired, files.chain);
    assert.equal(code, 1);
    assert.match(row(stdout, "trust") ?? "", /refused: self-signed.*not among the authorities/);
    const json = JSON.parse((await inspect("--json", "--ca", files.expired, files.chain)).stdout);
    const [trust, ...others] = json.sources[0].chain.trust;
    assert.deepEqual(others, []);
    assert.equal(trust.verdict, "refused");
    assert.match(trust.reason, /^self-signed/);
  });

  test("each leaf of a file: none is verified unseen", async () => {
    const stray = certify(dir, files.key, { subject: "/CN=stray" });
    const path = dir.write("two.pem", Buffer.concat([readFileSync(files.chain), stray]));
    const { code, stdout } = await inspect("--ca", files.root, path);
    assert.equal(code, 1);
    assert.match(stdout, /trust +verified: CN=server → .*\n +trust +refused: .*\(CN=stray\)/);
    const short = await inspect("--ca", files.root, "--format", "short", path);
    assert.match(short.stderr, /two\.pem: the chain is refused: self-signed.*\(CN=stray\)/);
  });

  test("no chain of a certificate that OpenSSL cannot read, which is shown all the same", async () => {
    const plain = certify(dir, files.key, { options: ["-set_serial", "0x7f80"] });
    const padded = Buffer.from(readCertificates(plain)[0].der);
    padded[padded.indexOf(Buffer.from([0x02, 0x02, 0x7f, 0x80])) + 2] = 0xff;
    const path = dir.write("padded.der", padded);
    const { code, stdout } = await inspect("--ca", files.root, path);
    assert.equal(code, 1);
    assert.match(row(stdout, "trust") ?? "", /^not checked: OpenSSL .*: illegal padding$/);
    assert.match(stdout, /CN=leaf/);
  });

  test("dates: what has expired exits 1, and says since when", async () => {
    const { code, stdout } = await inspect(files.expired);
    assert.equal(code, 1);
    assert.match(row(stdout, "valid") ?? "", /expired \d+ days ago$/);
    assert.match(stdout, /warning +has expired on 2001-01-01/);
    const short = await inspect("--format", "short", files.expired);
    assert.match(short.stderr, /certificate of CN=old has expired on 2001-01-01/);
  });

  test("that a private key belongs to a certificate", async () => {
    const { code, stdout } = await inspect(files.chain, files.strayKey);
    assert.equal(code, 1);
    assert.match(stdout, /belongs to no certificate or request here/);
  });

  test("warnings alone exit 0: a key that is encrypted, no names", async () => {
    const encrypted = openssl(["pkcs8", "-topk8", ...PASSOUT], readFileSync(files.key));
    const plain = certify(dir, files.key);
    const { code, stdout, stderr } = await inspect(
      dir.write("both.pem", Buffer.concat([plain, encrypted])),
    );
    assert.equal(code, 0);
    assert.match(stderr, /warning: .*both\.pem: PEM block 2 .*--passphrase-file/);
    assert.match(stdout, /warning +has no subject alternative name/);
  });
});

describe("certs inspect shows the others, says which failed and why, and exits 2 beside", () => {
  const cases: readonly [what: string, make: () => string, why: RegExp][] = [
    ["a file that is not there", () => dir.at("absent"), /no such file/i],
    ["an empty file", () => dir.write("empty", ""), /it is empty/],
    ["text", () => dir.write("text", "no certificate\n"), /neither PEM nor DER/],
    ["a key that is damaged", () => dir.write("bad.key", BROKEN_KEY), /private key/],
    ["a file of a gigabyte", makeGigabyte, /too large: 1073741824 bytes/],
    ["a FIFO", makeFifo, /FIFO/],
    ["a directory without certificates", makeDirectory, /none of its files/],
    ["a certificate that was cut short", makeCut, /cut short/],
  ];

  test("all of them at once", async () => {
    const paths = cases.map(([, make]) => make());
    const { code, stdout, stderr } = await inspect(...paths, files.chain);
    assert.equal(code, 2);
    assert.match(stdout, /CN=server/);
    const lines = stderr.trimEnd().split("\n");
    assert.equal(lines.length, cases.length, stderr);
    for (const [index, [what, , why]] of cases.entries()) {
      const line = lines.find((each) => each.includes(paths[index]!)) ?? "";
      assert.match(line, why, what);
    }
  });

  test("in JSON as problems", async () => {
    const path = dir.write("empty", "");
    const { code, stdout } = await inspect("--json", path, files.chain);
    const { problems, sources } = JSON.parse(stdout);
    assert.equal(code, 2);
    assert.equal(sources.length, 1);
    assert.deepEqual([problems[0].code, problems[0].file], ["CERTIFICATE_FORMAT", path]);
  });

  test("also a part of a file", async () => {
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const path = dir.write("mixed", Buffer.concat([readFileSync(files.root), Buffer.from(broken)]));
    const { code, stdout, stderr } = await inspect(path);
    assert.equal(code, 2);
    assert.match(stdout, /CN=root/);
    assert.match(stderr, /mixed: PEM block 2 \("CERTIFICATE"\): not a certificate/);
  });

  test("also a certificate with a damaged key, of several", async () => {
    const [root] = readCertificates(readFileSync(files.root));
    const [leaf] = readCertificates(readFileSync(files.chain));
    const bytes = [withDamagedPoint(leaf.der), root.der]
      .map((der) => openssl(["base64"], der))
      .map((body) => ["-----BEGIN CERTIFICATE-----\n", body, "-----END CERTIFICATE-----\n"])
      .flat().map((part) => Buffer.from(part as string));
    const { code, stdout, stderr } = await inspect(dir.write("point", Buffer.concat(bytes)));
    assert.equal(code, 2);
    assert.match(stdout, /CN=root/);
    assert.match(stderr, /point: CN=server: a certificate whose parts cannot be read: /);
  });

  test("of several codes the highest", async () => {
    const port = await closedPort();
    const { code } = await inspect(`127.0.0.1:${port}`, dir.write("empty", ""));
    assert.equal(code, 3);
  });

  test("a --ca that holds no certificate stops it", async () => {
    const { code, stdout, stderr } = await inspect("--ca", files.key, files.chain);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /--ca .*server\.key/);
  });

  test("flags that contradict each other stop it", async () => {
    const { code, stderr } = await inspect("--json", "--format", "pem", files.chain);
    assert.equal(code, 2);
    assert.match(stderr, /--json contradicts --format pem/);
  });
});

test("certs inspect lets no name move a cursor, forge a line or turn text around", async () => {
  const name = "\u001b[2J\u202egro.elpmaxe\u202c\n<b onload=alert(1)>\r\u0007";
  const hostile = certify(dir, files.key, {
    subject: `/CN=${name}/O="quoted"`,
    extensions: ["subjectAltName=@names"],
    config: "[names]\nDNS.1=a\u001b[31mb\nURI.1=http://x/\u009b31m",
  });
  const path = dir.write("hostile\u001b[1m.pem", hostile);
  for (const format of ["text", "short", "json"]) {
    const { stdout, stderr } = await inspect("--format", format, "--ca", files.root, path);
    const shown = `${stdout}${stderr}`.replaceAll("\n", "");
    assert.deepEqual(shown.match(UNSAFE_CHARACTERS), null, format);
    assert.ok(shown.includes("b onload=alert(1)"), "what is harmless stays as it is");
  }
});

const BROKEN_KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";

/** It takes no room. */
function makeGigabyte(): string {
  const path = dir.write("gigabyte.pem", "");
  truncateSync(path, 1_073_741_824);
  return path;
}

function makeFifo(): string {
  execFileSync("mkfifo", [dir.at("fifo")]);
  return dir.at("fifo");
}

function makeDirectory(): string {
  mkdirSync(dir.at("directory"));
  return dir.at("directory");
}

function makeCut(): string {
  const [{ der }] = readCertificates(readFileSync(files.root));
  return dir.write("cut.der", der.subarray(0, 100));
}
