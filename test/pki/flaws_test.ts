import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { describeCertificate } from "../../src/pki/certificate_details.ts";
import { parseCertificate, readCertificates } from "../../src/pki/certificates.ts";
import { authorityFlaws, certificateFlaws, serverFlaws } from "../../src/pki/flaws.ts";
import { withDamagedPoint } from "../support/certificates.ts";
import { openssl } from "../support/openssl.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

let dir: TempDir;
beforeEach(() => {
  dir = makeTempDir();
});
afterEach(() => dir.remove());

const P256 = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/** A self-signed certificate by openssl: with these extensions and no others. */
function certificate(extensions: readonly string[], options: readonly string[] = []) {
  dir.write("conf", "[req]\ndistinguished_name=dn\n[dn]\n"); // none of the system's extensions
  const key = options.includes("-newkey") ? [] : ["-newkey", ...P256];
  const added = extensions.flatMap((extension) => ["-addext", extension]);
  return readCertificates(openssl([
    ...["req", "-x509", "-nodes", "-keyout", dir.at("key"), "-config", dir.at("conf")],
    ...["-subj", "/CN=x", ...key, ...options, ...added],
  ]))[0];
}

describe("serverFlaws", () => {
  const name = "subjectAltName=DNS:a.example";

  for (
    const [what, extensions, options, flaws] of [
      ["a name and no purpose", [name], [], []],
      ["the purpose of servers", [name, "extendedKeyUsage=clientAuth,serverAuth"], [], []],
      [
        "any purpose, which no TLS library takes",
        [name, "extendedKeyUsage=anyExtendedKeyUsage"],
        [],
        [
          "is not made for servers (extended key usage)",
        ],
      ],
      ["a damaged purpose", [name, "2.5.29.37=DER:0500"], [], [
        "has a damaged extension: extended key usage",
      ]],
      ["a damaged alternative name", ["2.5.29.17=DER:0402ABCD"], [], [
        "has a damaged extension: subject alternative name",
      ]],
      ["an RSA key of 2048 bits", [name], ["-newkey", "rsa:2048"], []],
      ["the purpose of clients", [name, "extendedKeyUsage=clientAuth"], [], [
        "is not made for servers (extended key usage)",
      ]],
      ["no alternative name", [], [], [
        "has no subject alternative name: clients find no name in it to check",
      ]],
      ["an RSA key of 1024 bits, signed with SHA-1", [name], ["-newkey", "rsa:1024", "-sha1"], [
        "has an RSA key of only 1024 bits",
        "is signed with SHA-1, which clients refuse",
      ]],
    ] as const
  ) {
    test(`of a certificate with ${what}: ${flaws.length}`, () => {
      assert.deepEqual(serverFlaws(certificate(extensions, options)), flaws);
    });
  }
});

describe("authorityFlaws", () => {
  const none = "is no authority's (CA:FALSE): clients that it has signed will be refused";

  for (
    const [what, extensions, flaws] of [
      ["CA:TRUE", ["basicConstraints=critical,CA:TRUE"], []],
      ["CA:TRUE and keyCertSign", ["basicConstraints=CA:TRUE", "keyUsage=keyCertSign"], []],
      ["CA:TRUE without keyCertSign", ["basicConstraints=CA:TRUE", "keyUsage=cRLSign"], [none]],
      ["CA:FALSE", ["basicConstraints=CA:FALSE"], [none]],
      ["keyCertSign alone", ["keyUsage=keyCertSign"], []],
      ["a name alone", ["subjectAltName=DNS:a.example"], [none]],
      ["CA:TRUE and something damaged", ["basicConstraints=CA:TRUE", "2.5.29.17=DER:0402ABCD"], [
        "has a damaged extension: subject alternative name",
      ]],
    ] as const
  ) {
    test(`of a certificate with ${what}: ${flaws.length}`, () => {
      assert.deepEqual(authorityFlaws(certificate(extensions)), flaws);
    });
  }

  test("has none of a certificate without extensions, from before there were any", () => {
    const request = ["req", "-new", "-nodes", "-subj", "/CN=old", "-newkey", ...P256];
    const csr = openssl([...request, "-keyout", dir.at("key")]);
    const [old] = readCertificates(openssl(["x509", "-req", "-signkey", dir.at("key")], csr));
    assert.deepEqual(authorityFlaws(old), []);
  });
});

test("a certificate with a damaged key is told of, and stops nobody", () => {
  const { der } = certificate(["subjectAltName=DNS:a.example"]);
  const damaged = parseCertificate(withDamagedPoint(der));
  for (const flaws of [serverFlaws(damaged), authorityFlaws(damaged)]) {
    assert.equal(flaws.length, 1);
    assert.match(
      flaws[0]!,
      /^cannot be examined: it is a certificate whose parts cannot be read: /,
    );
  }
});

describe("certificateFlaws", () => {
  const name = "subjectAltName=DNS:a.example";
  const server = "extendedKeyUsage=serverAuth";
  const authority = "basicConstraints=critical,CA:TRUE";
  const undecided = "does not say whether it is for servers or clients (extended key usage)";
  const nameless = "has no subject alternative name: clients find no name in it to check";

  for (
    const [what, extensions, options, flaws] of [
      ["a good server", [name, server], [], []],
      ["a client without names", ["extendedKeyUsage=clientAuth"], [], []],
      ["a server without names", [server], [], [nameless]],
      ["a certificate that says nothing", ["keyUsage=digitalSignature"], [], [nameless, undecided]],
      ["an authority", [authority], [], []],
      ["an authority that signs itself with SHA-1", [authority], ["-sha1"], []],
      ["a server that is signed with MD5", [name, server], ["-newkey", "rsa:2048", "-md5"], [
        "is signed with MD5, which clients refuse",
      ]],
      ["a weak authority", [authority], ["-newkey", "rsa:1024"], [
        "has an RSA key of only 1024 bits",
      ]],
      ["a serial number of 0", [name, server], ["-set_serial", "0"], [
        "has a serial number that is not above 0: some refuse it",
      ]],
      ["a damaged extension", [name, server, "2.5.29.15=DER:0500"], [], [
        "has a damaged extension: key usage",
      ]],
      ["a damaged name", [server, "2.5.29.17=DER:0402ABCD"], [], [
        "has a damaged extension: subject alternative name",
      ]],
      ["a damaged purpose", [name, "2.5.29.37=DER:0500"], [], [
        "has a damaged extension: extended key usage",
      ]],
      ["any purpose alone", [name, "extendedKeyUsage=anyExtendedKeyUsage"], [], [
        'is for "any" use (extended key usage): OpenSSL takes that for neither servers nor clients',
      ]],
      [
        "any purpose and a client's",
        [
          name,
          "extendedKeyUsage=clientAuth,anyExtendedKeyUsage",
        ],
        [],
        [],
      ],
    ] as const
  ) {
    test(`of ${what}: ${flaws.length}`, () => {
      const found = certificateFlaws(describeCertificate(certificate(extensions, options)));
      assert.deepEqual(found, flaws);
    });
  }

  test("tells of dates: soon, over, and not begun", () => {
    const made = describeCertificate(certificate([name, server], ["-days", "90"]));
    const day = 86_400_000;
    const flawsAt = (ms: number) => certificateFlaws(made, made.notBefore.getTime() + ms).join();
    assert.equal(flawsAt(day), "");
    assert.equal(flawsAt(59 * day), "");
    assert.match(flawsAt(60.5 * day), /^ends in 29 days, on /);
    assert.match(flawsAt(90 * day), /^ends in 0 days/);
    assert.match(flawsAt(90 * day + 1_000), /^has expired on /);
    assert.match(flawsAt(-1_000), /^is valid from /);
  });

  test("calls a certificate of a week due only in its last third", () => {
    const made = describeCertificate(certificate([name, server], ["-days", "6"]));
    const flawsAt = (days: number) =>
      certificateFlaws(made, made.notBefore.getTime() + days * 86_400_000).join();
    assert.equal(flawsAt(3.9), "");
    assert.match(flawsAt(4.1), /^ends in 1 day, on /);
  });
});
