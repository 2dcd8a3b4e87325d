import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { getCurves } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { KeylessError } from "../../src/errors/errors.ts";
import { Authority, type Issued, type IssueRequest } from "../../src/pki/authority.ts";

describe("Authority", () => {
  let directory: string;
  let authority: Authority;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "keyless-authority-"));
    authority = await Authority.create('Test CA, "é"');
    write("ca.pem", authority.certificatePem);
  });
  after(() => rmSync(directory, { recursive: true }));

  function write(name: string, text: string): string {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  }

  /** What openssl says of a certificate for a purpose: "OK", or its reason. */
  function verdict(certificatePem: string, purpose: string): string {
    const path = write("leaf.pem", certificatePem);
    const ca = join(directory, "ca.pem");
    const { status, stderr } = spawnSync(
      "openssl",
      ["verify", "-x509_strict", "-CAfile", ca, "-purpose", purpose, path],
      { encoding: "utf8" },
    );
    return status === 0 ? "OK" : stderr;
  }

  function text(certificatePem: string, ...options: string[]): string {
    const args = ["x509", "-noout", ...options];
    return execFileSync("openssl", args, { input: certificatePem, encoding: "utf8" });
  }

  function issue(request: Partial<IssueRequest>): Promise<Issued> {
    return authority.issue({ commonName: "leaf", usages: [], ...request });
  }

  test("its own certificate is a CA that may sign certificates and revocation lists", () => {
    const shown = text(authority.certificatePem, "-text", "-nameopt", "utf8,sep_multiline");
    assert.match(shown, /Basic Constraints: critical\s+CA:TRUE\s/);
    assert.match(shown, /Key Usage: critical\s+Certificate Sign, CRL Sign\s/);
    assert.match(shown, /Subject Key Identifier/);
    assert.match(shown, /Subject:\s+CN=Test CA, "é"\s/);
  });

  test("a certificate is accepted for the usages that it was issued for, and for no other", async () => {
    const server = (await issue({ usages: ["server"] })).certificatePem;
    const client = (await issue({ usages: ["client"] })).certificatePem;
    const both = (await issue({ usages: ["server", "client"] })).certificatePem;
    assert.equal(verdict(server, "sslserver"), "OK");
    assert.match(verdict(server, "sslclient"), /unsuitable certificate purpose/);
    assert.equal(verdict(client, "sslclient"), "OK");
    assert.match(verdict(client, "sslserver"), /unsuitable certificate purpose/);
    assert.equal(verdict(both, "sslserver"), "OK");
    assert.equal(verdict(both, "sslclient"), "OK");
  });

  test("a certificate without usages has no extended key usage", async () => {
    const { certificatePem } = await issue({ usages: [] });
    assert.doesNotMatch(text(certificatePem, "-text"), /Extended Key Usage/);
    assert.equal(verdict(certificatePem, "any"), "OK");
  });

  test("names become DNS and IP entries of the subject alternative name", async () => {
    const names = ["localhost", "127.0.0.1", "::1"];
    const { certificatePem } = await issue({ usages: ["server"], names });
    const shown = text(certificatePem, "-ext", "subjectAltName");
    assert.match(shown, /DNS:localhost, IP Address:127\.0\.0\.1, IP Address:0:0:0:0:0:0:0:1\n/);
  });

  test("the private key is PKCS#8 and belongs to the certificate", async () => {
    const { certificatePem, keyPem } = await issue({});
    assert.match(keyPem, /^-----BEGIN PRIVATE KEY-----\n/);
    const options = { input: keyPem, encoding: "utf8" } as const;
    const publicPem = execFileSync("openssl", ["pkey", "-pubout"], options);
    assert.equal(publicPem, text(certificatePem, "-pubkey"));
  });

  test("the validity is the one that was asked for, to the second, also beyond 2050", async () => {
    const { certificatePem } = await issue({
      notBefore: new Date("2020-02-03T04:05:06.789Z"),
      notAfter: new Date("2060-01-02T03:04:05.678Z"),
    });
    const shown = text(certificatePem, "-dates", "-dateopt", "iso_8601");
    assert.equal(shown, "notBefore=2020-02-03 04:05:06Z\nnotAfter=2060-01-02 03:04:05Z\n");
    assert.equal(verdict(certificatePem, "any"), "OK");
  });

  test("an expired certificate, and one not yet valid, are refused", async () => {
    const expired = await issue({ notAfter: new Date(Date.now() - 60_000) });
    assert.match(verdict(expired.certificatePem, "any"), /certificate has expired/);
    const early = await issue({ notBefore: new Date(Date.now() + 60_000) });
    assert.match(verdict(early.certificatePem, "any"), /certificate is not yet valid/);
  });

  test("the certificate of another authority of the same name is refused", async () => {
    const other = await Authority.create('Test CA, "é"');
    const { certificatePem } = await other.issue({ commonName: "leaf", usages: ["server"] });
    assert.match(verdict(certificatePem, "sslserver"), /unable to get local issuer certificate/);
  });

  test("serial numbers are positive, of 128 bits, and differ", async () => {
    const serials = new Set<string>();
    for (let n = 0; n < 8; n++) {
      const serial = text((await issue({})).certificatePem, "-serial").trim();
      assert.match(serial, /^serial=[4-7][0-9A-F]{31}$/);
      serials.add(serial);
    }
    assert.equal(serials.size, 8);
  });

  for (const curve of ["P-384", "P-521"] as const) {
    test(`a certificate for a ${curve} key verifies`, async () => {
      const { certificatePem } = await issue({ usages: ["server"], curve });
      assert.equal(verdict(certificatePem, "sslserver"), "OK");
      assert.match(text(certificatePem, "-text"), new RegExp(`NIST CURVE: ${curve}`));
    });
  }

  test("a K-256 key comes from @peculiar/webcrypto where the runtime has the curve", async () => {
    if (getCurves().includes("secp256k1")) {
      const { certificatePem } = await issue({ usages: ["server"], curve: "K-256" });
      assert.equal(verdict(certificatePem, "sslserver"), "OK");
      assert.match(text(certificatePem, "-text"), /ASN1 OID: secp256k1/);
    } else {
      await assert.rejects(
        issue({ curve: "K-256" }),
        (error) => error instanceof KeylessError && error.code === "KEY_UNSUPPORTED",
      );
    }
  });
});
