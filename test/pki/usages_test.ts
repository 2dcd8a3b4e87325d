import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { readCertificates } from "../../src/pki/certificates.ts";
import { mayAuthenticateClients, mayAuthenticateServers } from "../../src/pki/usages.ts";
import { certify } from "../support/certificates.ts";
import { keyOf } from "../support/openssl.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

let dir: TempDir;
let key: string;
before(() => {
  dir = makeTempDir();
  key = dir.write("key", keyOf("P-256"));
});
after(() => dir.remove());

describe("whom a certificate may authenticate follows its extended key usage", () => {
  for (
    const [what, extensions, servers, clients] of [
      ["none", [], true, true],
      ["serverAuth", ["extendedKeyUsage=serverAuth"], true, false],
      ["clientAuth", ["extendedKeyUsage=clientAuth,emailProtection"], false, true],
      ["both", ["extendedKeyUsage=serverAuth,clientAuth"], true, true],
      ["any, which TLS libraries refuse", ["extendedKeyUsage=anyExtendedKeyUsage"], false, false],
      ["one that is damaged", ["2.5.29.37=DER:0402ABCD"], true, true],
      [
        "another extension that is damaged",
        [
          "2.5.29.17=DER:0402ABCD",
          "extendedKeyUsage=clientAuth",
        ],
        false,
        true,
      ],
    ] as const
  ) {
    test(what, () => {
      const [{ der }] = readCertificates(certify(dir, key, { extensions }));
      assert.equal(mayAuthenticateServers(der), servers);
      assert.equal(mayAuthenticateClients(der), clients);
    });
  }

  test("and nothing is said against one that cannot be read", () => {
    assert.equal(mayAuthenticateServers(new Uint8Array([0x30, 0x00])), true);
    assert.equal(mayAuthenticateClients(new Uint8Array(0)), true);
  });
});
