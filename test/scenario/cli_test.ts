import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { OP_RESPONSE } from "../../src/protocol/opcodes.ts";
import { Authority } from "../../src/pki/authority.ts";
import { type CliOptions, type CliResult, runExecutable } from "../support/cli.ts";
import { startFakeServer } from "../support/fake_server.ts";
import { credentialFiles } from "../support/ping_fixture.ts";
import { closedPort } from "../support/plain_server.ts";
import { RunningServer } from "../support/running_server.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";
import { TestPki } from "../support/test_server.ts";

const FAST = ["-c", "2", "-i", "1ms"];

let dir: TempDir;
let server: RunningServer;
/** The flags that take everything from the directory of the server. */
let dev: string[];
let target: string;
let pki: TestPki;
before(async () => {
  dir = makeTempDir();
  dev = ["--dev", "--dev-dir", dir.at("dev")];
  const listen = ["--port", "0", "--unix-socket", dir.at("sock")];
  server = await RunningServer.start([...dev, ...listen, "--metrics-port", "off"]);
  target = `127.0.0.1:${server.port}`;
  pki = await TestPki.create();
});
after(async () => {
  await server.kill();
  dir.remove();
});

function ping(...args: string[]): Promise<CliResult> {
  return runExecutable(["ping", ...FAST, ...args]);
}

/** The result of `keyless`, which exits 0 and warns of nothing. */
async function good(args: readonly string[], options: CliOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await runExecutable(args, options);
  assert.equal(stderr, "");
  assert.equal(code, 0);
  return stdout;
}

const devFile = (...names: string[]) => dir.at("dev", ...names);

describe("the executable's ping", () => {
  test("of a healthy server exits 0, over TCP and over the UNIX socket", async () => {
    for (const to of [target, `unix:${dir.at("sock")}`]) {
      const stdout = await good(["ping", ...FAST, ...dev, to]);
      assert.match(stdout, /TLSv1\.3 .*CN=keyless dev server/);
      assert.match(stdout, /\n2 sent, 2 received, 0% loss\n/);
    }
  });

  test("asks for signatures, and verifies them with the public half", async () => {
    for (const name of ["p256", "rsa-2048", "ed25519"]) {
      const args = ["--op", "sign", "--public", devFile("keys", `${name}.pub`)];
      const stdout = await good(["ping", ...FAST, ...dev, target, ...args]);
      assert.match(stdout, /seq=2 sign \S+ verified time=/, name);
    }
  });

  test("prints one JSON document", async () => {
    const document = JSON.parse(await good(["ping", ...FAST, ...dev, target, "--json"]));
    assert.equal(document.healthy, true);
    assert.equal(document.exitCode, 0);
    const [{ address, sent, received, errors }] = document.targets;
    const found = { address, sent, received, errors };
    assert.deepEqual(found, { address: "127.0.0.1", sent: 2, received: 2, errors: [] });
  });

  test("of a server that signs with another key exits 1", async () => {
    const other = createPrivateKey(readFileSync(devFile("keys", "p384.key")));
    await using forger = await startFakeServer(pki, ({ id }, peer) => {
      peer.reply(id, { opcode: OP_RESPONSE, payload: sign("sha256", new Uint8Array(1), other) });
    });
    const files = credentialFiles(dir, "client", pki.client);
    const args = ["--op", "sign", "--public", devFile("keys", "p256.pub")];
    const { code, stderr } = await ping(`127.0.0.1:${forger.port}`, ...files, ...args);
    assert.equal(code, 1);
    assert.match(stderr, /the signature with ecdsa-sha256 is wrong/);
  });

  test("where nothing listens exits 3, unless enough others are healthy", async () => {
    const closed = `127.0.0.1:${await closedPort()}`;
    const { code, stderr } = await ping(...dev, closed);
    assert.equal(code, 3);
    assert.match(stderr, /connection refused/);
    assert.equal((await ping(...dev, closed, target, "--min-healthy", "1")).code, 0);
    assert.equal((await ping(...dev, closed, target, "--min-healthy", "2")).code, 3);
  });

  test("with another CA than the server's exits 4, and names the issuer", async () => {
    const ca = dir.write("other-ca.pem", pki.client.ca as string);
    const { code, stderr } = await ping(...dev, target, "--ca", ca);
    assert.equal(code, 4);
    assert.match(stderr, /issued by "CN=keyless dev CA"/);
  });

  test("of a client that the server refuses exits 4, and the server logs why", async () => {
    const rogue = await Authority.create("rogue authority");
    const [, cert = "", , key = ""] = credentialFiles(
      dir,
      "rogue",
      await pki.otherClient({}, rogue),
    );
    const { code, stderr } = await ping(...dev, target, "--cert", cert, "--key", key);
    assert.equal(code, 4);
    assert.match(stderr, /issued by "CN=rogue authority"/);
    await server.event("refused");
  });

  test("by a key that the server does not hold exits 5", async () => {
    const key = ["--ski", "00".repeat(20), "--scheme", "ed25519"];
    const { code, stderr } = await ping(...dev, target, "--op", "sign", ...key);
    assert.equal(code, 5);
    assert.match(stderr, /answered error 2: key not found/);
  });

  test("without a target exits 2", async () => {
    const { code, stderr } = await ping();
    assert.equal(code, 2);
    assert.match(stderr, /no target/);
  });
});

describe("the executable's config", () => {
  const yaml = () =>
    [
      `auth_cert: ${devFile("tls", "server.pem")}`,
      `auth_key: ${devFile("tls", "server-key.pem")}`,
      `cloudflare_ca_cert: ${devFile("tls", "ca.pem")}`,
      `private_key_stores: [{dir: ${devFile("keys")}}]`,
      "port: 0",
      "",
    ].join("\n");

  test("check exits 0 for files that serve would take, 2 for a key that is no setting", async () => {
    const right = ["-c", dir.write("right.yaml", yaml())];
    assert.match(await good(["config", "check", ...right]), /^ok {2}keys {11}[1-9]\d*$/m);
    assert.equal(JSON.parse(await good(["config", "check", "--json", ...right])).ok, true);
    const wrong = ["-c", dir.write("wrong.yaml", `${yaml()}log_level: 1\n`)];
    const { code, stderr } = await runExecutable(["config", "check", ...wrong]);
    assert.equal(code, 2);
    assert.match(stderr, /wrong\.yaml:6:1: "log_level" is no setting; did you mean loglevel\?/);
  });

  test("show says where each value is from", async () => {
    dir.write("gokeyless.yaml", "port: 1234\n");
    const options = { cwd: dir.path, env: { KEYLESS_BIND: "::1" } };
    const text = await good(["config", "show", "-l", "warning"], options);
    assert.match(text, /^port +1234 +file gokeyless\.yaml:1$/m);
    assert.match(text, /^bind +::1 +environment KEYLESS_BIND$/m);
    assert.match(text, /^loglevel +2 +flag --loglevel$/m);
    const { settings } = JSON.parse(await good(["config", "show", "--json"], options));
    assert.deepEqual(settings.port, { value: "1234", origin: "file gokeyless.yaml:1" });
  });
});

describe("the executable's keys", () => {
  test("list and ski agree with openssl on a key's SKI", async () => {
    const key = devFile("keys", "p256.key");
    const spki = execFileSync("openssl", ["pkey", "-in", key, "-pubout", "-outform", "DER"]);
    dir.write("point", spki.subarray(-65)); // of P-256: the SubjectPublicKey's content
    const sha1 = execFileSync("openssl", ["dgst", "-sha1", "-r", dir.at("point")], {
      encoding: "utf8",
    });
    const ski = sha1.slice(0, 40);
    for (const file of [key, devFile("keys", "p256.pub")]) {
      assert.equal(await good(["keys", "ski", file]), `${ski}  ${file}\n`);
    }
    assert.ok((await good(["keys", "list", ...dev])).includes(`EC P-256  256   ${ski}\n`));
    const { keys } = JSON.parse(await good(["keys", "list", "--json", key]));
    assert.equal(keys.length, 1);
    assert.deepEqual([keys[0].file, keys[0].bits, keys[0].ski], [key, 256, ski]);
  });

  test("list and ski exit 2 for a file that holds no key, and name it", async () => {
    const file = dir.write("broken.key", "no key");
    for (const command of ["list", "ski"]) {
      const { code, stderr } = await runExecutable(["keys", command, file]);
      assert.equal(code, 2);
      assert.match(stderr, /broken\.key: /);
    }
  });
});
