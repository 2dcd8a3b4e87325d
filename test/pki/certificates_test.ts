import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import fc from "fast-check";
import { KeylessError } from "../../src/errors/errors.ts";
import { Authority } from "../../src/pki/authority.ts";
import { type Certificate, readCertificates } from "../../src/pki/certificates.ts";
import { derOf, pemBlocks } from "../../src/pki/pem.ts";

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function refuses(file: Uint8Array): void {
  assert.throws(() => readCertificates(file), (error) => {
    assert.ok(error instanceof KeylessError, String(error));
    assert.equal(error.code, "CERTIFICATE_FORMAT");
    assert.match(
      error.message,
      /^not a certificate that can be read: (?:it is not DER$|its DER is damaged, or something else$|its not(?:Before|After) is no time )/,
    );
    return true;
  });
}

describe("readCertificates", () => {
  test("reads subject and dates of every certificate, in the file's order", async () => {
    const authority = await Authority.create("the CA");
    const notBefore = new Date("2026-01-02T03:04:05Z");
    const notAfter = new Date("2055-06-07T08:09:10Z");
    const leaf = await authority.issue({ commonName: "leaf", usages: [], notBefore, notAfter });
    const file = bytesOf(leaf.keyPem + leaf.certificatePem + authority.certificatePem);
    const [first, second, ...rest] = readCertificates(file);
    assert.deepEqual(rest, []);
    assert.equal(first.subject, "CN=leaf");
    assert.deepEqual([first.notBefore, first.notAfter], [notBefore, notAfter]);
    assert.equal(second?.subject, "CN=the CA");

    const [block] = pemBlocks(bytesOf(leaf.certificatePem));
    assert.ok(block);
    assert.deepEqual(readCertificates(derOf(block)), [first]);
  });

  test("refuses a file without a certificate, and one of which one is broken", async () => {
    const { certificatePem } = await Authority.create("the CA");
    const { keyPem } = await (await Authority.create("x")).issue({ commonName: "y", usages: [] });
    for (const text of ["", "hello", keyPem]) refuses(bytesOf(text));
    refuses(bytesOf(certificatePem.replace("MII", "AII")));
    refuses(bytesOf(certificatePem + certificatePem.slice(0, -100)));
    refuses(bytesOf(certificatePem + "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"));
  });
});

describe("readCertificates: any bytes give certificates, or the typed error", () => {
  const pem = authorityOf("the CA");

  test("whatever they are", () => {
    const label = "-----BEGIN CERTIFICATE-----\n";
    const bytes = fc.uint8Array({ maxLength: 300 });
    const der = bytes.map((body) =>
      Uint8Array.of(0x30, 0x82, body.length >> 8, body.length, ...body)
    );
    const armoured = fc.oneof(bytes, der).map((body) =>
      bytesOf(`${label}${Buffer.from(body).toString("base64")}\n-----END CERTIFICATE-----\n`)
    );
    const text = fc.string({ unit: "binary" }).map((body) => bytesOf(label + body));
    fc.assert(fc.property(fc.oneof(bytes, der, armoured, text), (file) => {
      reads(file);
    }));
  });

  for (const form of ["DER", "PEM"] as const) {
    test(`a real one in ${form}, of which bytes were changed, lost or put in`, async () => {
      const file = bytesOf(await pem);
      const real = form === "PEM" ? file : derOf(pemBlocks(file)[0]!);
      assert.ok(reads(real));
      const change = fc.record({
        at: fc.nat(real.length - 1),
        lost: fc.nat(3),
        put: fc.uint8Array({ maxLength: 3 }),
      });
      fc.assert(
        fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
          reads(changes.reduce(
            (bytes, { at, lost, put }) =>
              Uint8Array.of(...bytes.subarray(0, at), ...put, ...bytes.subarray(at + lost)),
            real,
          ));
        }),
        { numRuns: 500 },
      );
    });
  }

  test("a real one cut short anywhere, or with a byte more", async () => {
    const real = derOf(pemBlocks(bytesOf(await pem))[0]!);
    for (let length = 0; length < real.length; length++) refuses(real.subarray(0, length));
    refuses(Uint8Array.of(...real, 0));
  });

  async function authorityOf(name: string): Promise<string> {
    return (await Authority.create(name)).certificatePem;
  }

  /** Whether there are certificates, whose fields can all be used. */
  function reads(file: Uint8Array): boolean {
    let found: readonly Certificate[];
    try {
      found = readCertificates(file);
    } catch (error) {
      assert.ok(error instanceof KeylessError, String(error));
      assert.equal(error.code, "CERTIFICATE_FORMAT");
      return false;
    }
    assert.ok(found.length > 0);
    for (const { subject, notBefore, notAfter, spki, der } of found) {
      assert.equal(typeof subject, "string");
      for (const date of [notBefore, notAfter]) assert.match(date.toISOString(), /Z$/);
      assert.ok(spki.length > 0 && der.length > spki.length);
    }
    return true;
  }
});

describe("pemBlocks", () => {
  const labelsOf = (text: string) => pemBlocks(bytesOf(text)).map(({ label }) => label);

  test("finds each block, whatever stands around it", () => {
    const text =
      "x-----BEGIN A-----\nYQ==\n-----END A-----y\n-----BEGIN B C-----\n-----END B C-----";
    const [first, second] = pemBlocks(bytesOf(text));
    assert.deepEqual([first?.label, second?.label], ["A", "B C"]);
    assert.deepEqual(derOf(first!), bytesOf("a"));
    assert.deepEqual(derOf(second!), new Uint8Array(0));
  });

  test("lets a block without an end take what is left", () => {
    assert.deepEqual(labelsOf("-----BEGIN A-----\nYQ==\n-----END B-----\n-----BEGIN B-----"), [
      "A",
    ]);
    assert.deepEqual(labelsOf("-----BEGIN A"), []);
  });

  test("takes a label of 64 bytes, and passes over a longer one", () => {
    const block = (label: string) => `-----BEGIN ${label}-----\n-----END ${label}-----\n`;
    assert.deepEqual(labelsOf(block("x".repeat(64))), ["x".repeat(64)]);
    assert.deepEqual(labelsOf(block("x".repeat(65)) + block("A")), ["A"]);
  });
});
