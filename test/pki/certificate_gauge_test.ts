import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import { KeylessError } from "../../src/errors/errors.ts";
import { UNSAFE_CHARACTERS } from "../../src/errors/printable.ts";
import {
  certificateGauge,
  type CertificateLabels,
  firstToExpire,
  MAX_HOSTNAMES_LENGTH,
  MAX_LABEL_LENGTH,
} from "../../src/pki/certificate_gauge.ts";
import { type Certificate, parseCertificate } from "../../src/pki/certificates.ts";
import { METRICS } from "../../src/telemetry/metrics/table.ts";
import { keyOf, openssl } from "../support/openssl.ts";
import { makeTempDir } from "../support/temp_dir.ts";

const SLOW = { timeout: 60_000 };
const DIRECTORY = makeTempDir();
const KEY = DIRECTORY.write("key.pem", keyOf("P-256"));

after(() => DIRECTORY.remove());

/** A self-signed certificate, DER, by the options of `openssl req -x509`. */
function make(subject: string, ...options: string[]): Uint8Array {
  return openssl([
    ...["req", "-x509", "-new", "-key", KEY, "-utf8", "-subj", subject, "-outform", "DER"],
    ...["-config", DIRECTORY.write("empty.cnf", "[req]\ndistinguished_name=dn\n[dn]\n")],
    ...options,
  ]);
}

function extension(text: string): string[] {
  return ["-addext", text];
}

function labelsOf(der: Uint8Array, source = "a.pem"): CertificateLabels {
  return certificateGauge(parseCertificate(der), source).labels;
}

/** What `openssl x509` says of it. */
function opensslSays(der: Uint8Array): { readonly serial: string; readonly endSeconds: number } {
  const args = ["x509", "-inform", "DER", "-noout", "-serial", "-enddate", "-dateopt", "iso_8601"];
  const text = new TextDecoder().decode(openssl(args, der)).replaceAll("\\\n", "");
  const [, sign = "", hex = ""] = /^serial=(-?)([0-9A-F]+)/m.exec(text) ?? [];
  const [, end = ""] = /^notAfter=(.+)$/m.exec(text) ?? [];
  return {
    serial: `${sign}${BigInt(`0x${hex}`)}`,
    endSeconds: Date.parse(end.replace(" ", "T")) / 1_000,
  };
}

describe("certificateGauge", () => {
  test("its labels are those of the metric, in their order", () => {
    const row = METRICS.certificate_expiration_timestamp_seconds;
    assert.deepEqual(Object.keys(labelsOf(make("/CN=a"))), [...row.labels]);
  });

  test("serial number and expiry are what OpenSSL reads, for serials of every size", SLOW, () => {
    for (
      const [serial, days] of [
        ["0", "1"],
        ["1", "30"],
        ["128", "365"],
        ["0xff", "3650"],
        ["0x7fffffffffffffffffffffffffffffffffffffff", "15000"], // ends after 2050
        ["0xffffffffffffffffffffffffffffffffffffffff", "2"],
        ["-1", "2"],
        ["-129", "2"],
        [`0x${"ab".repeat(64)}`, "2"],
      ] as const
    ) {
      const der = make("/CN=a", "-set_serial", serial, "-days", days);
      const { labels, value } = certificateGauge(parseCertificate(der), "a.pem");
      const expected = opensslSays(der);
      assert.equal(labels.serial_no, expected.serial, serial);
      assert.equal(labels.serial_no, String(BigInt(serial)), serial);
      assert.equal(value, expected.endSeconds, serial);
    }
  });

  test(
    "a serial number of up to 256 bytes is decimal, a longer one a cut hexadecimal",
    SLOW,
    () => {
      const at = make("/CN=a", "-set_serial", `0x7${"f".repeat(511)}`);
      assert.equal(labelsOf(at).serial_no, ((1n << 2_047n) - 1n).toString());
      const beyond = make("/CN=a", "-set_serial", `0x7${"f".repeat(513)}`);
      assert.match(labelsOf(beyond).serial_no, /^0x7f{513}$/);
      const far = make("/CN=a", "-set_serial", `0x7${"f".repeat(8_001)}`);
      assert.match(labelsOf(far).serial_no, /^0x7f+…$/);
      assert.equal(labelsOf(far).serial_no.length, MAX_LABEL_LENGTH);
    },
  );

  test("server and client follow the extended key usage alone; any counts as both", SLOW, () => {
    for (
      const [usages, server, client] of [
        [undefined, "0", "0"],
        ["serverAuth", "1", "0"],
        ["clientAuth", "0", "1"],
        ["clientAuth,serverAuth", "1", "1"],
        ["anyExtendedKeyUsage", "1", "1"],
        ["codeSigning,1.2.3.4", "0", "0"],
      ] as const
    ) {
      const options = usages === undefined ? [] : extension(`extendedKeyUsage=${usages}`);
      const labels = labelsOf(make("/CN=a", ...options));
      assert.deepEqual([labels.server, labels.client], [server, client], usages);
    }
  });

  test("ca follows the basic constraints", SLOW, () => {
    const caOf = (...options: string[]) => labelsOf(make("/CN=a", ...options)).ca;
    assert.equal(caOf(), "0");
    assert.equal(caOf(...extension("basicConstraints=critical,CA:TRUE,pathlen:0")), "1");
    assert.equal(caOf(...extension("basicConstraints=CA:FALSE")), "0");
  });

  test("host names are the DNS names, sorted; other kinds are left out", SLOW, () => {
    const names =
      "subjectAltName=DNS:b.example,IP:10.0.0.1,DNS:*.a.example,URI:https://x.example," +
      "email:me@y.example,DNS:B.example,DNS:b.example";
    const { hostnames } = labelsOf(make("/CN=a", ...extension(names)));
    assert.equal(hostnames, "*.a.example,B.example,b.example,b.example");
    assert.equal(labelsOf(make("/CN=a")).hostnames, "");
  });

  test(
    "the common name is the last of several, in any script; empty where there is none",
    SLOW,
    () => {
      assert.equal(labelsOf(make("/CN=first/O=Example/CN=日本 büro")).cn, "日本 büro");
      assert.equal(labelsOf(make("/O=Example")).cn, "");
      assert.equal(labelsOf(make('/CN=quote" back\\\\slash')).cn, 'quote" back\\slash');
    },
  );

  test("hostile names are printable and cut", SLOW, () => {
    const hostile = "a\u001b[31m\n\u202ebmoc|<b>";
    const cut = { source: `/x/${"s".repeat(2_000)}\n`, hostnames: "h".repeat(200) };
    const names = Array.from({ length: 60 }, (_, i) => `DNS:${i}${cut.hostnames}.example`).join();
    const labels = labelsOf(
      make(`/CN=${hostile}`, ...extension(`subjectAltName=${names}`)),
      cut.source,
    );
    assert.equal(labels.cn, "a\\u{1b}[31m\\u{a}\\u{202e}bmoc|<b>");
    assert.equal(labels.source.length, MAX_LABEL_LENGTH);
    assert.ok(labels.source.endsWith("s…"));
    assert.equal(labels.hostnames.length, MAX_HOSTNAMES_LENGTH);
    assert.ok(labels.hostnames.endsWith("…"));
    const hundred = Array.from({ length: 100 }, (_, i) => `${100 + i}-${"n".repeat(68)}.example`);
    const all = make("/CN=a", ...extension(`subjectAltName=DNS:${hundred.join(",DNS:")}`));
    assert.equal(labelsOf(all).hostnames, hundred.join(","));
  });

  test("of a damaged extension nothing is said, of the others all is", SLOW, () => {
    const der = make(
      "/CN=a",
      ...extension("subjectAltName=DER:30:03:04:01"),
      ...extension("extendedKeyUsage=serverAuth"),
      ...extension("basicConstraints=CA:TRUE"),
    );
    const { hostnames, server, ca } = labelsOf(der);
    assert.deepEqual({ hostnames, server, ca }, { hostnames: "", server: "1", ca: "1" });
  });

  test("every certificate that can be read has a gauge, whatever bytes are damaged", SLOW, () => {
    const names = extension("subjectAltName=DNS:b.example,IP:10.0.0.1");
    const usages = extension("extendedKeyUsage=serverAuth");
    const der = make("/CN=some name/O=Example", ...names, ...usages);
    const damages = fc.array(fc.tuple(fc.nat(der.length - 1), fc.nat(255)), { maxLength: 3 });
    let readable = 0;
    fc.assert(
      fc.property(damages, (changes) => {
        const damaged = Buffer.from(der);
        for (const [at, byte] of changes) damaged[at] = byte;
        let certificate: Certificate;
        try {
          certificate = parseCertificate(damaged);
        } catch (thrown) {
          assert.ok(thrown instanceof KeylessError);
          return;
        }
        readable++;
        const { labels, value } = certificateGauge(certificate, "a.pem");
        assert.ok(Number.isSafeInteger(value));
        for (const text of Object.values(labels)) {
          assert.equal(text.search(UNSAFE_CHARACTERS), -1);
          assert.ok(text.isWellFormed());
        }
      }),
      { numRuns: 300 },
    );
    assert.ok(readable > 30, `only ${readable} could be read`);
  });
});

test("of gauges with the same labels, that which expires first stands in the place of the first", () => {
  const gauge = (cn: string, value: number) => {
    const flags = { ca: "0", server: "0", client: "0" } as const;
    return { labels: { source: "a.pem", serial_no: "1", cn, hostnames: "", ...flags }, value };
  };
  const gauges = [gauge("a", 3), gauge("b", 1), gauge("a", 2), gauge("a", 5), gauge("b", 4)];
  assert.deepEqual(firstToExpire(gauges), [gauge("a", 2), gauge("b", 1)]);
  assert.deepEqual(firstToExpire([]), []);
});
