import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { Authority } from "../../src/pki/authority.ts";
import { runExecutable } from "../support/cli.ts";
import { closedPort, plainServer } from "../support/plain_server.ts";
import { PROGRAMS, RunningServer } from "../support/running_server.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const SLOW = { timeout: 60_000 };
const DAY_MS = 86_400_000;

let dir: TempDir;
let server: RunningServer;

before(async () => {
  dir = makeTempDir();
  const authority = await Authority.create("authority");
  for (const [name, days] of [["good", 90.5], ["expiring", 3.5]] as const) {
    const notAfter = new Date(Date.now() + days * DAY_MS);
    const issued = await authority.issue({ commonName: name, usages: ["server"], notAfter });
    dir.write(`${name}.pem`, issued.certificatePem);
  }
  const args = ["--dev", "--dev-dir", dir.at("dev"), "--port", "0", "--metrics-port", "off"];
  server = await RunningServer.start(args);
});
after(async () => {
  await server.kill();
  dir.remove();
});

describe("certs expiry of the executable", () => {
  test("an operator's check finds what expires, and a live server", SLOW, async () => {
    const args = ["certs", "expiry", "--warn", "30d", "--critical", "7d"];
    const live = `localhost:${server.port}`;
    const { code, stdout } = await runExecutable([...args, dir.path, live], { cwd: dir.path });
    assert.equal(code, 2);
    const [summary, , first] = stdout.split("\n");
    assert.match(summary!, /^CRITICAL: 1 of \d certificates expires within 7d: expiring in 3 days/);
    assert.match(first!, / 3 +expiring /);
    assert.match(stdout, new RegExp(`keyless dev server +${live}`));
  });

  test("the server's client sees the same certificates, and no refusal", SLOW, async () => {
    const live = `localhost:${server.port}`;
    const identity = [
      "--cert",
      dir.at("dev/tls/client.pem"),
      "--key",
      dir.at("dev/tls/client-key.pem"),
    ];
    const without = await runExecutable(["certs", "expiry", live]);
    assert.equal(without.code, 0);
    assert.match(without.stderr, /warning: .*alert "certificate required".*give --cert and --key/);
    const withIt = await runExecutable(["certs", "expiry", ...identity, live]);
    assert.deepEqual(withIt, { code: 0, stdout: without.stdout, stderr: "" });
  });

  test("each source that fails is a line that names it; the others are shown", SLOW, async () => {
    dir.write("broken.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    using plain = await plainServer((socket) => socket.end("220 mail.example ESMTP\r\n"));
    using hanging = await plainServer(() => {});
    const failing = [await closedPort(), plain.port, hanging.port].map((port) =>
      `127.0.0.1:${port}`
    );
    const args = ["certs", "expiry", "--timeout", "300ms", dir.path, ...failing];
    const startMs = performance.now();
    const { code, stdout, stderr } = await runExecutable(args);
    assert.ok(performance.now() - startMs < 5_000);
    assert.equal(code, 4); // the highest: what listens there is no TLS
    assert.match(stdout, /cn="good"/);
    assert.match(stdout, /cn="expiring"/);
    assert.match(stdout, /^certificate_read_errors 4$/m);
    const lines = stderr.trimEnd().split("\n");
    assert.equal(lines.length, 4, stderr);
    assert.match(lines[0]!, /broken\.pem: .*not a certificate/);
    assert.match(lines[1]!, /connection refused/);
    assert.match(lines[2]!, /does not speak TLS/);
    assert.match(lines[3]!, /showed no certificate within 300 ms/);
    for (const [index, source] of failing.entries()) assert.ok(lines[index + 1]!.includes(source));
    const check = await runExecutable([...args, "--warn", "30d"]);
    assert.equal(check.code, 3);
    assert.match(check.stdout, /^UNKNOWN: 4 of 6 sources cannot be read: .*broken\.pem/);
  });
});

test("a --textfile where its user may not write is UNKNOWN, with the sum beside it", SLOW, () => {
  mkdirSync(dir.at("locked"), { mode: 0o500 });
  const path = dir.at("locked/certs.prom");
  const args = ["certs", "expiry", "-", "--warn", "30d", "--textfile", path];
  const options = { cwd: "/", input: readFileSync(dir.at("good.pem")), encoding: "utf8" } as const;
  const [command, ...words] = [...AS_NOBODY, ...PROGRAMS.executable, ...args];
  const { status, stdout, stderr } = spawnSync(command!, words, options);
  const why = `--textfile ${path} cannot be written: permission denied`;
  assert.equal(
    stdout.split(" | ")[0],
    `UNKNOWN: ${why}; 1 certificate: good in 90 days (-)`,
    stderr,
  );
  assert.deepEqual({ status, stderr }, { status: 3, stderr: `keyless certs expiry: ${why}\n` });
});

/** Whoever has no rights; root has all. */
const AS_NOBODY = process.getuid?.() === 0
  ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
  : [];
