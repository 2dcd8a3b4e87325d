import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { readCertificates } from "../../src/pki/certificates.ts";
import { isAuthority, serverFlaws } from "../../src/pki/flaws.ts";
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
      ["any purpose", [name, "extendedKeyUsage=anyExtendedKeyUsage"], [], []],
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

describe("isAuthority", () => {
  for (
    const [what, extensions, expected] of [
      ["CA:TRUE", ["basicConstraints=critical,CA:TRUE"], true],
      ["CA:TRUE and keyCertSign", ["basicConstraints=CA:TRUE", "keyUsage=keyCertSign"], true],
      ["CA:TRUE without keyCertSign", ["basicConstraints=CA:TRUE", "keyUsage=cRLSign"], false],
      ["CA:FALSE", ["basicConstraints=CA:FALSE"], false],
      ["keyCertSign alone", ["keyUsage=keyCertSign"], true],
      ["a name alone", ["subjectAltName=DNS:a.example"], false],
    ] as const
  ) {
    test(`is ${expected} of a certificate with ${what}`, () => {
      assert.equal(isAuthority(certificate(extensions)), expected);
    });
  }

  test("is true of a certificate without extensions, from before there were any", () => {
    const request = ["req", "-new", "-nodes", "-subj", "/CN=old", "-newkey", ...P256];
    const csr = openssl([...request, "-keyout", dir.at("key")]);
    const [old] = readCertificates(openssl(["x509", "-req", "-signkey", dir.at("key")], csr));
    assert.equal(isAuthority(old), true);
  });
});
