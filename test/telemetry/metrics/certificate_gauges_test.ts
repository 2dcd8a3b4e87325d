import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { type Certificate, parseCertificate } from "../../../src/pki/certificates.ts";
import { CertificateGauges } from "../../../src/telemetry/metrics/certificate_gauges.ts";
import { certify } from "../../support/certificates.ts";
import { makeKey } from "../../support/openssl.ts";
import { makeTempDir, type TempDir } from "../../support/temp_dir.ts";

const LISTENER = "127.0.0.1:2407";

let directory: TempDir;
/** Two of one name and serial number, as a script that numbers none makes them; and a third. */
let first: Certificate;
let renewed: Certificate;
let other: Certificate;

before(() => {
  directory = makeTempDir();
  const key = directory.write("key.pem", makeKey("P-256"));
  const made = (serial: string, days: string) => {
    const options = ["-set_serial", serial, "-days", days];
    const pem = certify(directory, key, { subject: "/CN=edge", options });
    return parseCertificate(new X509Certificate(pem).raw);
  };
  [first, renewed, other] = [made("1", "10"), made("1", "90"), made("2", "50")];
});

after(() => directory.remove());

const secondsOf = ({ notAfter }: Certificate) => Math.floor(notAfter.getTime() / 1_000);

function valuesOf(gauges: CertificateGauges): number[] {
  return gauges.values().map(({ value }) => value);
}

describe("certificates with the same labels are one series, that of", () => {
  test("the client that came last", () => {
    const gauges = new CertificateGauges(10, assert.fail);
    for (const { der } of [first, other, renewed]) gauges.seen(der, LISTENER);
    assert.deepEqual(valuesOf(gauges), [secondsOf(renewed), secondsOf(other)]);
    gauges.seen(first.der, LISTENER);
    assert.deepEqual(valuesOf(gauges), [secondsOf(other), secondsOf(first)]);
  });

  test("the one of a file that expires first, wherever it stands", () => {
    for (const order of [[first, renewed, renewed], [renewed, first, renewed]]) {
      const gauges = new CertificateGauges(10, assert.fail);
      for (const certificate of order) gauges.addOwn(certificate, "ca.pem");
      assert.deepEqual(valuesOf(gauges), [secondsOf(first)]);
    }
  });
});

test("clients with the same certificate at two listeners are two series", () => {
  const gauges = new CertificateGauges(10, assert.fail);
  gauges.seen(first.der, LISTENER);
  gauges.seen(first.der, "unix:/run/keyless.sock");
  const sources = gauges.values().map(({ labels }) => labels?.["source"]);
  assert.deepEqual(sources, [`listener: ${LISTENER}`, "listener: unix:/run/keyless.sock"]);
});

test("with room for none, no client's certificate is shown, and none counts as dropped", () => {
  const gauges = new CertificateGauges(0, assert.fail);
  gauges.seen(first.der, LISTENER);
  assert.deepEqual(gauges.values(), []);
});

test("what no certificate can be read from has no series, and is no failure", () => {
  const gauges = new CertificateGauges(10, assert.fail);
  gauges.seen(new Uint8Array([0x30, 0x03, 0x01]), LISTENER);
  gauges.seen(new Uint8Array(0), LISTENER);
  assert.deepEqual(gauges.values(), []);
});
