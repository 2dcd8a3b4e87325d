import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createPrivateKey } from "node:crypto";
import { before, describe, test } from "node:test";
import fc from "fast-check";
import { type CredentialPems, readCredentials } from "../../src/client/credentials.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import type { ErrorCode } from "../../src/errors/table.ts";
import { pemsOf } from "../support/client_fixture.ts";
import { TestPki } from "../support/test_server.ts";

describe("readCredentials", () => {
  let good: CredentialPems;
  let other: CredentialPems;
  before(async () => {
    const pki = await TestPki.create();
    good = pemsOf(pki.client);
    other = pemsOf(await pki.otherClient({ commonName: "another" }));
  });

  test("reads PEM as text and as bytes, and tells the client's own certificate", () => {
    assert.equal(readCredentials(good).certificate.subject, "CN=test client");
    const bytes = {
      certificate: Buffer.from(good.certificate as string),
      key: new Uint8Array(Buffer.from(good.key as string)),
      ca: Buffer.from(good.ca as string),
    };
    assert.equal(readCredentials(bytes).certificate.subject, "CN=test client");
  });

  test("the first certificate of a chain is the client's own", () => {
    const certificate = `${good.certificate}\n${good.ca}`;
    const { certificate: own } = readCredentials({ ...good, certificate });
    assert.equal(own.subject, "CN=test client");
  });

  const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const refused: readonly [
    what: string,
    pems: () => Partial<CredentialPems>,
    code: ErrorCode,
    says: RegExp,
  ][] = [
    [
      "no certificate",
      () => ({ certificate: "" }),
      "CERTIFICATE_FORMAT",
      /^client\.pem holds no cert/,
    ],
    [
      "a broken certificate",
      () => ({ certificate: broken }),
      "CERTIFICATE_FORMAT",
      /^client\.pem holds a certificate that cannot be read/,
    ],
    [
      "a key where the certificate should be",
      () => ({ certificate: good.key }),
      "CERTIFICATE_FORMAT",
      /^client\.pem holds no certificate/,
    ],
    ["an empty CA", () => ({ ca: "" }), "CERTIFICATE_FORMAT", /^ca\.pem holds no certificate/],
    [
      "a broken certificate after a good one in the CA",
      () => ({ ca: `${good.ca}${broken}` }),
      "CERTIFICATE_FORMAT",
      /^ca\.pem holds a certificate that cannot be read/,
    ],
    ["no key", () => ({ key: "" }), "KEY_FORMAT", /^client\.key holds no private key/],
    [
      "a certificate where the key should be",
      () => ({ key: good.certificate }),
      "KEY_FORMAT",
      /^client\.key holds no private key/,
    ],
    [
      "the key of another certificate",
      () => ({ key: other.key }),
      "KEY_MISMATCH",
      /^client\.key is not the key of client\.pem/,
    ],
    [
      "an encrypted key",
      () => ({
        key: createPrivateKey(good.key as string)
          .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" }),
      }),
      "KEY_PASSPHRASE",
      /^client\.key is encrypted/,
    ],
  ];
  for (const [what, pems, code, says] of refused) {
    test(`refuses ${what}, and names the file`, () => {
      const names = { certificate: "client.pem", key: "client.key", ca: "ca.pem" };
      assert.throws(() => readCredentials({ ...good, ...pems() }, names), (error) => {
        assert.ok(error instanceof KeylessError, `${error}`);
        assert.equal(error.code, code);
        assert.match(error.message, says);
        return true;
      });
    });
  }

  test("any text in place of a key or certificate is one of our errors", () => {
    const text = fc.oneof(
      fc.string(),
      fc.base64String().map((body) =>
        `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`
      ),
      fc.base64String().map((body) =>
        `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`
      ),
    );
    const field = fc.constantFrom("certificate", "key", "ca");
    fc.assert(fc.property(field, text, (field, text) => {
      assert.throws(() => readCredentials({ ...good, [field]: text }), KeylessError);
    }));
  });
});
