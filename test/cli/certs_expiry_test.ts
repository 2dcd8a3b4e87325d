import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { lstatSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { Authority } from "../../src/pki/authority.ts";
import { type CliResult, runCli } from "../support/cli.ts";
import { runHere } from "../support/run_here.ts";
import { certify } from "../support/certificates.ts";
import { genpkey, openssl } from "../support/openssl.ts";
import { parseSamples, sampleValue } from "../support/metrics.ts";
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

function expiry(args: readonly string[]): Promise<CliResult> {
  return runHere(["certs", "expiry", ...args], dir.path);
}

function readingInput(input: Uint8Array): Promise<CliResult> {
  return runCli(["certs", "expiry", "-"], { input });
}

/** Prometheus's own verdict on a text of metrics; throws where it has one. */
function promtool(text: string): string {
  const options = { input: text, stdio: "pipe", encoding: "utf8" } as const;
  return execFileSync("promtool", ["check", "metrics"], options);
}

/** What stands in a directory, each with its kind. */
function listed(path: string): string[] {
  return readdirSync(path).sort().map((name) => `${name} ${lstatSync(`${path}/${name}`).mode}`);
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
    const { code, stdout } = await readingInput(readFileSync(dir.at("good.pem")));
    assert.equal(code, 0);
    assert.match(stdout, /source="-",.*cn="good\.example"/);
    const endless = await readingInput(new Uint8Array(3 * 2 ** 20));
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

test("what --config-file names is a file, whatever it looks like", SLOW, async () => {
  for (const name of ["keys.example", "localhost:1", "*.pem", "-"]) {
    const lines = `auth_cert: ${JSON.stringify(name)}\ncloudflare_ca_cert: ca.pem\n`;
    const { code, stderr } = await expiry(["-c", dir.write("odd.yaml", lines)]);
    assert.equal(code, 2);
    const line = `keyless certs expiry: ${name}: cannot be read: no such file or directory`;
    assert.equal(stderr, `${line} (looked in ${dir.path})\n`);
  }
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

describe("certificates with the same labels", () => {
  const both = ["--warn", "150d", "--critical", "20d"];
  before(() => {
    const key = dir.write("twin.key", genpkey("-algorithm", "ED25519"));
    const made = (days: number) => {
      const options = ["-set_serial", "7", "-days", String(days)];
      return new TextDecoder().decode(certify(dir, key, { subject: "/CN=twin", options }));
    };
    const [early, late] = [made(100), made(200)];
    dir.write("early-first.pem", early + late);
    dir.write("late-first.pem", late + early);
    dir.write("late-twice.pem", late + late);
  });

  for (const file of ["early-first.pem", "late-first.pem"]) {
    test(`are all checked and shown, in ${file}`, SLOW, async () => {
      const { code, stdout } = await expiry([...both, file]);
      const [summary = "", ...table] = stdout.trimEnd().split("\n");
      assert.equal(code, 1);
      assert.match(summary, /^WARNING: 1 of 2 certificates expires within 150d: twin in \d+ days/);
      assert.match(summary, / certificates=2 /);
      assert.deepEqual(table.slice(1).map((line) => /twin/.test(line)), [true, true]);
      const json = JSON.parse((await expiry([...both, "--json", file])).stdout);
      const states = json.certificates.map(({ state }: { state: string }) => state);
      assert.deepEqual(states, ["WARNING", "OK"]);
    });

    test(`are one series, of that which expires first, in ${file}`, SLOW, async () => {
      const { stdout } = await expiry([file]);
      promtool(stdout);
      const { certificates } = JSON.parse((await expiry(["--json", file])).stdout);
      const samples = parseSamples(stdout);
      const value = sampleValue(samples, "certificate_expiration_timestamp_seconds");
      assert.equal(value, certificates[0].notAfterSeconds);
      assert.ok(value < certificates[1].notAfterSeconds);
    });
  }

  test("count once where they are the same, and their source is read twice", SLOW, async () => {
    const { stdout } = await expiry([...both, "late-twice.pem"]);
    assert.match(stdout, /^OK: 1 certificate: twin .* certificates=1 /);
    const twice = makeTempDir();
    const file = twice.write("a.pem", readFileSync(dir.at("late-first.pem")));
    const two = await expiry([...both, twice.path, file]);
    assert.match(two.stdout, /^WARNING: 1 of 2 certificates/);
    twice.remove();
  });
});

describe("files without certificates", () => {
  const PASS = ["-pass", "pass:secret"];
  const others = ["good.key", "encrypted.pem", "params.pem", "request.csr"];
  before(() => {
    dir.write("encrypted.pem", genpkey("-algorithm", "ED25519", "-aes-128-cbc", ...PASS));
    dir.write("params.pem", openssl(["ecparam", "-name", "prime256v1"]));
    const request = ["req", "-new", "-key", dir.at("good.key"), "-subj", "/CN=request"];
    dir.write("request.csr", openssl(request));
  });

  test("that a shell's pattern names too are passed over with a warning", SLOW, async () => {
    const { code, stdout, stderr } = await expiry(["--warn", "30d", ...others, "good.pem"]);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^OK: 1 certificate: good\.example .* certificates=1 read_errors=0$/m);
    const warnings = stderr.trimEnd().split("\n");
    assert.deepEqual(
      warnings,
      others.map((name) =>
        `keyless certs expiry: warning: ${name}: no certificate in it, but a key or the like; ` +
        "it is passed over"
      ),
    );
    const broken = await expiry(["--warn", "30d", "good.key", "good.pem", "broken.pem"]);
    assert.match(broken.stdout, /^UNKNOWN: 1 of 2 sources cannot be read: broken\.pem/);
    assert.match(broken.stderr, /warning: good\.key/);
  });

  test("are errors where no other has one", SLOW, async () => {
    const { code, stdout, stderr } = await expiry(others);
    assert.equal(code, 2);
    assert.match(stdout, /^certificate_read_errors 4$/m);
    for (const name of others) assert.ok(stderr.includes(`expiry: ${name}: `), stderr);
    const alone = await expiry(["--warn", "30d", "good.key", "missing.pem"]);
    assert.match(alone.stdout, /^UNKNOWN: 2 of 2 sources cannot be read: good\.key: no cert/);
  });

  test("are errors where the configuration names them", SLOW, async () => {
    const lines = "auth_cert: good.key\ncloudflare_ca_cert: ca.pem\n";
    const file = dir.write("key-as-certificate.yaml", lines);
    const { code, stdout } = await expiry(["--warn", "30d", "-c", file, "good.pem", "good.key"]);
    assert.equal(code, 3);
    assert.match(stdout, /^UNKNOWN: 1 of 3 sources cannot be read: good\.key: no certificate/);
  });
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
        [[...both, "no-certificate.key"], 3, /^UNKNOWN: 1 of 1 sources cannot be read/],
        [[...both, "good.key"], 3, /^UNKNOWN: .*good\.key: no certificate in it, but keys alone/],
      ] as const
    ) {
      const result = await expiry(args);
      assert.equal(result.code, code, `${args.join(" ")}: ${result.stdout}${result.stderr}`);
      const [first = "", second] = result.stdout.split("\n");
      assert.match(first, line);
      assert.match(first, / \| (?:days_left=\S+ )?certificates=\d+ read_errors=\d+$/);
      assert.match(second!, /certificates=0/.test(first) ? /^$/ : /^EXPIRES/);
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

  test("has the read errors too", SLOW, async () => {
    const { code } = await expiry(["--textfile", "errors.prom", "good.pem", "broken.pem"]);
    assert.equal(code, 2);
    assert.match(readFileSync(dir.at("errors.prom"), "utf8"), /^certificate_read_errors 1$/m);
  });

  test("replaces nothing but regular files", SLOW, async () => {
    const odd = makeTempDir();
    execFileSync("mkfifo", [odd.at("fifo.prom")]);
    const precious = odd.write("precious", "precious");
    symlinkSync(precious, odd.at("link.prom"));
    symlinkSync(odd.at("fifo.prom"), odd.at("fifo-link.prom"));
    symlinkSync("nowhere", odd.at("stale.prom"));
    const server = createServer().listen(odd.at("socket.prom"));
    await once(server, "listening");
    const before = listed(odd.path);
    for (
      const [name, kind] of [
        [".", "directory"],
        ["fifo.prom", "FIFO"],
        ["socket.prom", "socket"],
        ["link.prom", "symbolic link"],
        ["fifo-link.prom", "symbolic link"],
        ["stale.prom", "symbolic link"],
      ] as const
    ) {
      const path = odd.at(name);
      const { code, stdout, stderr } = await expiry(["--textfile", path, "good.pem"]);
      assert.deepEqual([code, stdout], [2, ""], name);
      assert.match(stderr, new RegExp(`cannot be written: it is a ${kind}, not a .*file; give a`));
      assert.deepEqual(listed(odd.path), before, name);
      const check = await expiry(["--warn", "1d", "--textfile", path, "good.pem"]);
      assert.equal(check.code, 3);
      assert.match(check.stdout, new RegExp(`^UNKNOWN: --textfile .* it is a ${kind}`));
    }
    assert.equal(readFileSync(precious, "utf8"), "precious");
    server.close();
    odd.remove();
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
