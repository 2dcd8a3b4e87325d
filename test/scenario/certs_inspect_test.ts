import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { UNSAFE_CHARACTERS } from "../../src/errors/printable.ts";
import { type CliResult, runExecutable } from "../support/cli.ts";
import { openssl, PASSOUT, PASSPHRASE } from "../support/openssl.ts";
import { closedPort } from "../support/plain_server.ts";
import { PROGRAMS, RunningServer } from "../support/running_server.ts";
import { LOCAL, ServeFixture } from "../support/serve_fixture.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const SLOW = { timeout: 60_000 };

let dir: TempDir;
let server: RunningServer;
/** The files that --dev has made. */
let tls: (name: string) => string;

before(async () => {
  dir = makeTempDir();
  tls = (name) => dir.at("dev", "tls", name);
  const args = ["--dev", "--dev-dir", dir.at("dev"), "--port", "0", "--metrics-port", "off"];
  server = await RunningServer.start(args);
});
after(async () => {
  await server.kill();
  dir.remove();
});

async function inspect(...args: string[]): Promise<CliResult> {
  return await runExecutable(["certs", "inspect", ...args]);
}

describe("certs inspect of a key server that runs", () => {
  test("shows what it presents to its client, and that clients accept it", SLOW, async () => {
    const live = `localhost:${server.port}`;
    const identity = ["--cert", tls("client.pem"), "--key", tls("client-key.pem")];
    const ca = ["--ca", tls("ca.pem"), "--purpose", "server"];
    const { code, stdout, stderr } = await inspect(...identity, ...ca, live);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, new RegExp(`^${live}\n`));
    assert.match(stdout, /names +DNS:localhost, IP:127\.0\.0\.1, IP:::1\n/);
    assert.match(stdout, /trust +verified: CN=keyless dev server → CN=keyless dev CA\n/);
    const file = await inspect("--json", tls("server.pem"));
    const wire = await inspect("--json", ...identity, live);
    const fingerprint = (text: string) => JSON.parse(text).sources[0].certificates[0].sha256;
    assert.equal(fingerprint(wire.stdout), fingerprint(file.stdout));
  });

  test("shows it to a stranger too, and says that the server refused it", SLOW, async () => {
    const { code, stdout, stderr } = await inspect(`localhost:${server.port}`);
    assert.equal(code, 0);
    assert.match(stdout, /CN=keyless dev server/);
    assert.match(stderr, /warning: .*certificate required.*--cert/);
  });

  test("exits as the failure of a host says, and shows the others", SLOW, async () => {
    const port = await closedPort();
    const { code, stdout, stderr } = await inspect(`localhost:${port}`, tls("server.pem"));
    assert.equal(code, 3);
    assert.match(stderr, new RegExp(`localhost:${port}`));
    assert.match(stdout, /CN=keyless dev server/);
  });

  test("refuses under --ca a server whose certificate is for another host", SLOW, async () => {
    const ca = ["--ca", tls("ca.pem"), "--cert", tls("client.pem"), "--key", tls("client-key.pem")];
    const good = await inspect(`localhost:${server.port}`, ...ca);
    assert.equal(good.code, 0, good.stderr);
    const other = await inspect(
      `localhost:${server.port}`,
      ...ca,
      "--server-name",
      "other.example",
    );
    assert.equal(other.code, 1);
    assert.match(`${other.stdout}${other.stderr}`, /hostname mismatch/i);
  });

  test("shows a name that would colour a terminal harmlessly", SLOW, async () => {
    const fixture = await ServeFixture.create({
      commonName: "evil\u001b[31m\u202e<b>\nname",
      names: ["localhost"],
    });
    try {
      const { port } = await fixture.start([...LOCAL, "--metrics-port", "off"]);
      const { stdout, stderr } = await inspect(`localhost:${port}`);
      assert.match(stdout, /evil\\u\{1b\}\[31m\\u\{202e\}/);
      const unsafe = `${stdout}${stderr}`.replaceAll("\n", "").match(UNSAFE_CHARACTERS);
      assert.deepEqual(unsafe, null);
    } finally {
      await fixture.killServer();
      fixture.remove();
    }
  });
});

test("certs inspect without OpenSSL checks no trust, says so, and exits 1", SLOW, () => {
  const options = [
    "-export",
    "-in",
    tls("server.pem"),
    "-inkey",
    tls("server-key.pem"),
    ...PASSOUT,
  ];
  const pkcs12 = dir.write("all.p12", openssl(["pkcs12", ...options]));
  const [deno, ...words] = PROGRAMS.denoWithoutFfi;
  const run = (...args: string[]) =>
    spawnSync(deno, [...words, "certs", "inspect", ...args], { encoding: "utf8" });
  const chain = run("--ca", tls("ca.pem"), tls("server.pem"));
  assert.equal(chain.status, 1, chain.stderr);
  assert.match(chain.stdout, /trust +not checked: .*libcrypto/);
  const file = run("--passphrase-file", dir.write("passphrase", PASSPHRASE), pkcs12);
  assert.equal(file.status, 2);
  assert.match(file.stderr, /all\.p12: PKCS#12 is opened by libcrypto of OpenSSL 3 alone/);
});

test("certs inspect reads what comes on standard input", SLOW, async () => {
  const input = readFileSync(tls("server.pem"));
  const { code, stdout } = await runExecutable(["certs", "inspect", "-"], { input });
  assert.equal(code, 0);
  assert.match(stdout, /CN=keyless dev server/);
});

test("certs inspect starts and prints within 150 ms", SLOW, async () => {
  const timesMs: number[] = [];
  for (let run = 0; run < 10; run++) {
    const startMs = performance.now();
    await inspect(tls("server.pem"));
    timesMs.push(performance.now() - startMs);
  }
  assert.ok(Math.min(...timesMs) < 150, `${timesMs.map(Math.round).join(", ")} ms`);
});
