import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Authority } from "../../src/pki/authority.ts";
import { type CliOptions, type CliResult, runCli } from "../support/cli.ts";
import { openssl } from "../support/openssl.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const SLOW = { timeout: 60_000 };
const DAY_MS = 86_400_000;

let dir: TempDir;

before(async () => {
  dir = makeTempDir();
  const now = Date.now();
  const at = (days: number) => new Date(now + days * DAY_MS);
  const authority = await Authority.create("authority", { notAfter: at(3_650.5) });
  dir.write("ca.pem", authority.certificatePem);
  for (const [name, days] of [["good", 90.5], ["soon", 20.5], ["very-soon", 3.5]] as const) {
    const names = [`${name}.example`, `*.${name}.example`];
    const request = { commonName: `${name}.example`, usages: ["server"] as const, names };
    const issued = await authority.issue({ ...request, notAfter: at(days) });
    dir.write(`${name}.pem`, issued.certificatePem);
    dir.write(`${name}.key`, issued.keyPem);
  }
  const expired = await authority.issue({
    ...{ commonName: "expired.example", usages: ["client"] },
    ...{ notBefore: at(-10), notAfter: at(-2.5) },
  });
  dir.write("expired.pem", expired.certificatePem);
  dir.write("broken.pem", expired.certificatePem.slice(0, 300));
});
after(() => dir.remove());

function expiry(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return runCli(["certs", "expiry", ...args], { cwd: dir.path, ...options });
}

/** Prometheus's own verdict on a text of metrics; throws where it has one. */
function promtool(text: string): string {
  const options = { input: text, stdio: "pipe", encoding: "utf8" } as const;
  return execFileSync("promtool", ["check", "metrics"], options);
}

/** The series of a certificate that `openssl x509` reads. */
function expectedSeries(file: string, labels: string): string {
  const pem = readFileSync(dir.at(file));
  const args = ["x509", "-noout", "-serial", "-enddate", "-dateopt", "iso_8601"];
  const text = new TextDecoder().decode(openssl(args, pem));
  const serial = BigInt(`0x${/serial=(\w+)/.exec(text)![1]}`);
  const end = Date.parse(/notAfter=(.+)/.exec(text)![1]!.replace(" ", "T")) / 1_000;
  return "certificate_expiration_timestamp_seconds" +
    `{source="${file}",serial_no="${serial}",${labels}} ${end}`;
}

const HELP = [
  "# HELP certificate_expiration_timestamp_seconds When a certificate expires (notAfter), as Unix time.",
  "# TYPE certificate_expiration_timestamp_seconds gauge",
];

describe("metrics", () => {
  test("are the series that OpenSSL's reading gives, and pass promtool", SLOW, async () => {
    const { code, stdout, stderr } = await expiry(["good.pem", "ca.pem"]);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.deepEqual(stdout.split("\n"), [
      ...HELP,
      expectedSeries(
        "good.pem",
        'cn="good.example",hostnames="*.good.example,good.example",ca="0",server="1",client="0"',
      ),
      expectedSeries("ca.pem", 'cn="authority",hostnames="",ca="1",server="0",client="0"'),
      "# HELP certificate_read_errors Files and hosts whose certificates could not be read.",
      "# TYPE certificate_read_errors gauge",
      "certificate_read_errors 0",
      "",
    ]);
    promtool(stdout);
  });

  test("of hostile names are still metrics", SLOW, async () => {
    const authority = await Authority.create('a"b\\c\n\u001b[31m\u202e|{x="y"} 1');
    const file = dir.write('odd "name"\\\n.pem', authority.certificatePem);
    const { code, stdout } = await expiry([file]);
    assert.equal(code, 0);
    assert.equal(stdout.split("\n").length, 7);
    assert.match(stdout, /cn="a\\"b\\\\c\\\\u\{a\}\\\\u\{1b\}\[31m\\\\u\{202e\}\|\{x=\\"y\\"\} 1"/);
    promtool(stdout);
  });

  test("count what could not be read, and the others still come", SLOW, async () => {
    const { code, stdout, stderr } = await expiry(["broken.pem", "good.pem", "missing.pem"]);
    assert.equal(code, 2);
    assert.match(stdout, /^certificate_read_errors 2$/m);
    assert.match(stdout, /cn="good.example"/);
    assert.match(stderr, /^keyless certs expiry: broken\.pem: .+\n.+missing\.pem: .+no such file/);
    promtool(stdout);
  });

  test("as OpenMetrics end in EOF", SLOW, async () => {
    const { code, stdout } = await expiry(["--format", "openmetrics", "good.pem"]);
    assert.equal(code, 0);
    assert.ok(stdout.startsWith(HELP.join("\n")));
    assert.match(stdout, /\ncertificate_read_errors 0\n# EOF\n$/);
  });

  test("come from standard input too, which is bounded", SLOW, async () => {
    const input = readFileSync(dir.at("good.pem"));
    const { code, stdout } = await expiry(["-"], { input });
    assert.equal(code, 0);
    assert.match(stdout, /source="-",.*cn="good\.example"/);
    const endless = await expiry(["-"], { input: new Uint8Array(3 * 2 ** 20) });
    assert.equal(endless.code, 2);
    assert.match(endless.stderr, /-: standard input is too large/);
  });

  test("of PKCS#12 want the passphrase", SLOW, async () => {
    const files = ["-in", dir.at("good.pem"), "-inkey", dir.at("good.key")];
    openssl(["pkcs12", "-export", ...files, "-out", dir.at("good.p12"), "-passout", "pass:secret"]);
    dir.write("passphrase", "secret\n");
    const { code, stdout } = await expiry(["--passphrase-file", "passphrase", "good.p12"]);
    assert.equal(code, 0);
    assert.match(stdout, /source="good\.p12",.*cn="good\.example"/);
    const without = await expiry(["good.p12"]);
    assert.equal(without.code, 2);
    assert.match(without.stderr, /good\.p12: .*passphrase/);
  });
});

test("--config-file adds the server's certificates, by the paths that it names", SLOW, async () => {
  dir.write("gokeyless.yaml", "auth_cert: good.pem\ncloudflare_ca_cert: ./ca.pem\n");
  const { code, stdout } = await expiry(["--config-file", "gokeyless.yaml", "soon.pem"]);
  assert.equal(code, 0);
  assert.deepEqual(Array.from(stdout.matchAll(/source="([^"]+)"/g), ([, source]) => source), [
    "soon.pem",
    "good.pem",
    "./ca.pem",
  ]);
  dir.write("other.yaml", "auth_cert: nowhere.pem\n");
  const missing = await expiry(["-c", "other.yaml"]);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /nowhere\.pem: .*no such file/);
  assert.match(missing.stderr, /keyless_cacert\.pem: .*no such file/);
});

test("the table begins with what expires first", SLOW, async () => {
  const { code, stdout } = await expiry([
    "--format",
    "table",
    "good.pem",
    "expired.pem",
    "soon.pem",
  ]);
  assert.equal(code, 0); // nothing is checked
  const rows = stdout.trimEnd().split("\n").map((line) => line.split(/ {2,}/).slice(1).join(" "));
  assert.deepEqual(rows, [
    "DAYS LEFT NAME SOURCE",
    "-3 expired.example expired.pem",
    "20 soon.example soon.pem",
    "90 good.example good.pem",
  ]);
});

describe("--json", () => {
  test("is the one document of every command, with the series' labels", SLOW, async () => {
    const { code, stdout, stderr } = await expiry(["--json", "good.pem", "soon.pem", "broken.pem"]);
    assert.deepEqual({ code, stderr }, { code: 2, stderr: "" });
    const { problems, certificates, ...rest } = JSON.parse(stdout);
    assert.deepEqual(rest, { version: 1, check: null, readErrors: 1, warnings: [] });
    assert.deepEqual(
      problems.map(({ code, file }: { code: string; file: string }) => [code, file]),
      [
        ["CERTIFICATE_FORMAT", "broken.pem"],
      ],
    );
    const [soon, good] = certificates;
    assert.deepEqual([soon.daysLeft, soon.labels.cn, soon.state], [20, "soon.example", null]);
    assert.equal(good.labels.hostnames, "*.good.example,good.example");
    assert.equal(Date.parse(good.notAfter) / 1_000, good.notAfterSeconds);
  });

  test("has the outcome of a check", SLOW, async () => {
    const args = ["--format", "json", "--warn", "30d", "--critical", "7d", "good.pem", "soon.pem"];
    const { code, stdout } = await expiry(args);
    assert.equal(code, 1);
    const { check, certificates } = JSON.parse(stdout);
    assert.equal(check.state, "WARNING");
    assert.equal(check.exitCode, 1);
    assert.match(check.summary, /^WARNING: 1 of 2 certificates expires within 30d: soon\.example/);
    assert.deepEqual(certificates.map(({ state }: { state: string }) => state), ["WARNING", "OK"]);
  });
});

describe("--warn and --critical", () => {
  test("exit as a Nagios check, with a line that sums up first", SLOW, async () => {
    const both = ["--warn", "30d", "--critical", "7d"];
    for (
      const [args, code, line] of [
        [
          [...both, "good.pem"],
          0,
          /^OK: 1 certificate: good\.example in 90 days \(good\.pem\) \| /,
        ],
        [[...both, "good.pem", "soon.pem"], 1, /^WARNING: 1 of 2 .*soon\.example in 20 days/],
        [[...both, "soon.pem", "very-soon.pem"], 2, /^CRITICAL: 1 of 2 .* within 7d: very-soon/],
        [["--warn=1d", "expired.pem"], 2, /^CRITICAL: 1 of 1 certificate has expired: expired/],
        [["--critical", "25%", "--warn", "50%", "good.pem"], 0, /^OK/],
        [["--warn", "100%", "good.pem"], 1, /^WARNING/],
        [[...both, "good.pem", "broken.pem"], 3, /^UNKNOWN: 1 of 2 sources cannot be read: broken/],
        [[...both, "very-soon.pem", "missing.pem"], 3, /^UNKNOWN: .*; 1 of 1 .* within 7d: very-/],
        [[...both, "no-certificate.key"], 3, /^UNKNOWN/],
      ] as const
    ) {
      const result = await expiry(args);
      assert.equal(result.code, code, `${args.join(" ")}: ${result.stdout}${result.stderr}`);
      const [first = "", second] = result.stdout.split("\n");
      assert.match(first, line);
      assert.match(first, / \| (?:days_left=\S+ )?certificates=\d+ read_errors=\d+$/);
      assert.match(second!, /^EXPIRES/);
    }
  });

  test("whatever stands in the way of a check is UNKNOWN", SLOW, async () => {
    for (
      const [args, says] of [
        [["--warn", "30d"], /no source/],
        [["--warn", "soon", "good.pem"], /--warn: duration "soon" is none/],
        [["--warn", "7d", "--critical", "30d", "good.pem"], /exchange the two/],
        [["--warn", "30d", "--nonsense", "good.pem"], /unknown option '--nonsense'/],
        [["good.pem", "--critical"], /argument missing/],
        [["--warn", "30d", "--format", "xml", "good.pem"], /invalid/],
        [["--warn", "30d", "-c", "missing.yaml"], /missing\.yaml/],
        [["--warn", "30d", "--cert", "good.pem", "good.pem"], /--cert and --key belong together/],
        [["--warn", "30d", "--textfile", "none/x.prom", "good.pem"], /none\/x\.prom/],
      ] as const
    ) {
      const { code, stderr } = await expiry(args);
      assert.equal(code, 3, args.join(" "));
      assert.match(stderr, says);
    }
    assert.equal((await expiry(["--warn", "30d", "--help"])).code, 0);
  });
});

test("what is wrong with the command line is said, and exits 2", SLOW, async () => {
  for (
    const [args, says] of [
      [[], /no source: give files/],
      [["--json", "--format", "table", "good.pem"], /--json contradicts --format table/],
      [["--timeout", "never", "good.pem"], /--timeout is "never"; give a duration/],
      [["--server-name", "", "good.pem"], /--server-name is empty/],
      [["--key", "good.key", "good.pem"], /--cert and --key belong together/],
      [["--cert", "good.pem", "--key", "soon.key", "good.pem"], /is not the key of/],
      [["--textfile", "", "good.pem"], /--textfile is empty/],
      [["--passphrase", "secret", "good.pem"], /--passphrase is no flag/],
    ] as const
  ) {
    const { code, stderr } = await expiry(args);
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, says);
  }
});

describe("--textfile", () => {
  test("writes the metrics whole, for all to read, and prints none", SLOW, async () => {
    const path = dir.write("certs.prom", "old contents that are longer than nothing", 0o600);
    const { code, stdout, stderr } = await expiry(["--textfile", "certs.prom", "good.pem"]);
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
    assert.equal(lstatSync(path).mode & 0o777, 0o644);
    const text = readFileSync(path, "utf8");
    assert.ok(text.startsWith(HELP.join("\n")));
    assert.equal(text, (await expiry(["good.pem"])).stdout);
    promtool(text);
  });

  test("replaces a link, and leaves what it points to", SLOW, async () => {
    const target = dir.write("precious", "precious");
    symlinkSync(target, dir.at("link.prom"));
    const { code } = await expiry(["--textfile", dir.at("link.prom"), "good.pem", "broken.pem"]);
    assert.equal(code, 2);
    assert.equal(readFileSync(target, "utf8"), "precious");
    assert.ok(lstatSync(dir.at("link.prom")).isFile());
    assert.match(readFileSync(dir.at("link.prom"), "utf8"), /^certificate_read_errors 1$/m);
  });

  test("that cannot be written is an error, and leaves nothing behind", SLOW, async () => {
    const before = readdirSync(dir.path).length;
    const { code, stderr } = await expiry(["--textfile", ".", "good.pem"]);
    assert.equal(code, 2);
    assert.match(stderr, /--textfile \. cannot be written/);
    assert.equal(readdirSync(dir.path).length, before);
    const check = await expiry(["--warn", "1d", "--textfile", "none/x.prom", "good.pem"]);
    assert.equal(check.code, 3);
    assert.match(check.stdout, /^UNKNOWN: --textfile none\/x\.prom cannot be written/);
  });

  test("is warned of where node_exporter would pass it over", SLOW, async () => {
    const { code, stderr } = await expiry(["--textfile", "certs.txt", "good.pem"]);
    assert.equal(code, 0);
    assert.match(
      stderr,
      /warning: --textfile certs\.txt: node_exporter reads files named \*\.prom/,
    );
  });
});
