import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, verify } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { Authority } from "../../src/pki/authority.ts";
import { ENCODINGS, makeKey, PASSPHRASE, publicKeyOf } from "../support/openssl.ts";
import { PROGRAMS } from "../support/running_server.ts";
import { LOCAL, ServeFixture } from "../support/serve_fixture.ts";
import { makeTempDir } from "../support/temp_dir.ts";

/** No resolver is asked for it: a label has at most 63 characters. */
const NO_NAME = `${"x".repeat(64)}.invalid`;
const TEXT_PASSPHRASE = new TextDecoder().decode(PASSPHRASE);

let fixture: ServeFixture;
let ed25519: Uint8Array;

before(async () => {
  fixture = await ServeFixture.create();
  ed25519 = makeKey("Ed25519");
  const { directory } = fixture;
  directory.write("p256.key", makeKey("P-256"));
  directory.write("rsa.key", makeKey("RSA 2048"));
  directory.write("weak.key", makeKey("RSA 1024"));
  directory.write("encrypted.key", ENCODINGS["PBES2 AES-256 PEM"](ed25519));
  directory.write("passphrase", `${TEXT_PASSPHRASE}\n`);
  directory.write("broken.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
});
after(() => fixture.remove());
afterEach(() => fixture.killServer());

describe("an existing gokeyless.yaml", () => {
  test("is served as it is, found in the working directory", async () => {
    fixture.directory.write(
      "gokeyless.yaml",
      `loglevel: 1
hostname: keys.example.com
zone_id: 0123456789abcdef
origin_ca_api_key: v1.0-secret-secret
auth_cert: server.pem
auth_key: server-key.pem
cloudflare_ca_cert: keyless_cacert.pem
port: 0
metrics_port: 2406
pid_file: keyless.pid
private_key_stores:
  - file: p256.key
  - file: rsa.key
log_level: 1
`,
    );
    const server = await fixture.start(["--bind", "127.0.0.1"]);
    const { key, ski } = fixture.publicKey("p256.key");
    const client = fixture.connect({ port: server.port });
    const digest = createHash("sha256").update("hello").digest();
    const signature = await client.sign({ ski }, "ecdsa-sha256", digest);
    assert.ok(verify("sha256", new TextEncoder().encode("hello"), key, signature));
    client.close();
    assert.equal(readFileSync(fixture.directory.at("keyless.pid"), "utf8"), `${server.pid}\n`);
    const warning = server.lines.find(({ msg }) => msg.includes("log_level"));
    assert.match(warning?.msg ?? "", /gokeyless\.yaml:14:1: .*loglevel/);
    assert.doesNotMatch(server.stderr, /v1\.0-secret/);
    assert.equal(await server.stop(), 0);
    assert.equal(existsSync(fixture.directory.at("keyless.pid")), false);
    rmSync(fixture.directory.at("gokeyless.yaml"));
  });

  test("gives way to variables, and those to flags with underscores", async () => {
    fixture.directory.write("other.yaml", "port: 1\nbind: 192.0.2.1\nloglevel: 3\n");
    const env = { KEYLESS_PORT: "2", KEYLESS_LOGLEVEL: "info" };
    const flags = ["--config_file=other.yaml", "--bind", "127.0.0.1", "--port=0"];
    const server = await fixture.start(flags, { env });
    const { addresses } = await server.event("listening");
    assert.deepEqual(addresses, [`127.0.0.1:${server.port}`]);
    assert.ok(server.port > 2, "neither that of the file nor that of the variable");
  });
});

describe("keys", () => {
  test("one that is broken stops the start and is named with its reason", async () => {
    const stderr = await fixture.refusal(["--private-key-files", "p256.key,broken.key"]);
    assert.match(stderr, /broken\.key/);
    assert.doesNotMatch(stderr, /AAAA/);
  });

  test("with --keep-going the others are served, and the broken one is named", async () => {
    const files = ["--private-key-files", "p256.key,broken.key"];
    const server = await fixture.start([...LOCAL, ...files, "--keep-going"]);
    assert.equal((await server.event("listening"))["keys"], 1);
    assert.ok(server.lines.some(({ level, msg }) => level === "warn" && /broken\.key/.test(msg)));
  });

  test("an encrypted one is opened with a passphrase from a file", async () => {
    const files = ["--private-key-files", "encrypted.key", "--passphrase-file", "passphrase"];
    const server = await fixture.start([...LOCAL, ...files]);
    const client = fixture.connect({ port: server.port });
    const { ski } = describePublicKey(publicKeyOf(ed25519));
    assert.equal((await client.sign({ ski }, "ed25519", Uint8Array.of(1))).length, 64);
    client.close();
  });

  test("or from the environment, and neither shows it at the level debug", async () => {
    const env = { KEYLESS_PASSPHRASE: TEXT_PASSPHRASE, KEYLESS_LOGLEVEL: "0" };
    const server = await fixture.start([...LOCAL, "--private-key-files", "encrypted.key"], { env });
    assert.doesNotMatch(server.stderr, /correct horse/);
  });

  test("an encrypted one without, or with a wrong passphrase says what to give", async () => {
    const files = ["--private-key-files", "encrypted.key"];
    assert.match(await fixture.refusal(files), /encrypted\.key.*--passphrase-file/s);
    const wrong = await fixture.refusal(files, { env: { KEYLESS_PASSPHRASE: "wrong-guess" } });
    assert.match(wrong, /encrypted\.key.*passphrase/s);
    assert.doesNotMatch(wrong, /wrong-guess/);
  });

  test("RSA of 1,024 bits is refused unless it is asked for by name", async () => {
    const files = ["--private-key-files", "weak.key"];
    assert.match(await fixture.refusal(files), /weak\.key.*--allow-weak-keys/s);
    const server = await fixture.start([...LOCAL, ...files, "--allow-weak-keys"]);
    assert.equal((await server.event("listening"))["keys"], 1);
  });

  test("the portable engine serves EC keys when asked for by name, with a warning", async () => {
    const args = [...LOCAL, "--private-key-files", "p256.key", "--crypto", "portable"];
    const server = await fixture.start(args);
    assert.ok(
      server.lines.some(({ level, msg }) =>
        level === "warn" && /timing depends on the key/.test(msg)
      ),
    );
    assert.match(String((await server.event("listening"))["crypto"]), /node:crypto/);
    const { key, ski } = fixture.publicKey("p256.key");
    const client = fixture.connect({ port: server.port });
    const digest = createHash("sha256").update("hello").digest();
    const signature = await client.sign({ ski }, "ecdsa-sha256", digest);
    assert.ok(verify("sha256", new TextEncoder().encode("hello"), key, signature));
    client.close();
  });
});

describe("what stands in the way of a start", () => {
  test("a certificate that is not there is named", async () => {
    assert.match(await fixture.refusal(["--auth-cert", "none.pem"]), /auth_cert none\.pem/);
  });

  test("a key of another certificate is named", async () => {
    assert.match(await fixture.refusal(["--auth-key", "client-key.pem"]), /client-key\.pem/);
  });

  test("a port that is taken is named", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    assert.match(await fixture.refusal(["--port", String(port)]), new RegExp(`port ${port}`));
    await new Promise((resolve) => other.close(resolve));
  });

  test("a PKCS#11 URI that cannot be read is named with its place, without what it holds", async () => {
    fixture.directory.write(
      "uri.yaml",
      "private_key_stores:\n  - uri: pkcs11:token=a?pin-valeu=98765\n",
    );
    const stderr = await fixture.refusal(["--config-file", "uri.yaml"]);
    assert.match(stderr, /uri\.yaml:2:/);
    assert.doesNotMatch(stderr, /98765/);
  });

  test("a bad value is told with file, line, column and what would be right", async () => {
    fixture.directory.write("bad.yaml", "port: 2407\nidle_timeout: soon\n");
    const stderr = await fixture.refusal(["--config-file", "bad.yaml"]);
    assert.match(stderr, /bad\.yaml:2:15.*idle_timeout.*30s/s);
  });

  test("a port in use, an address that is not ours and a missing directory have their mends", async () => {
    assert.match(await fixture.refusal(["--bind", "192.0.2.1"]), /192\.0\.2\.1 .*--bind/);
    assert.match(
      await fixture.refusal(["--bind", NO_NAME]),
      /the name has no address.*--bind/,
    );
    const socket = ["--unix-socket", "none/keyless.sock"];
    assert.match(
      await fixture.refusal(socket),
      /none\/keyless\.sock: its directory does not exist/,
    );
  });

  test("a pid file that holds anything else is left as it is", async () => {
    const before = readFileSync(fixture.directory.at("server-key.pem"), "utf8");
    const stderr = await fixture.refusal(["--pid-file", "server-key.pem"]);
    assert.match(stderr, /pid_file server-key\.pem cannot be written: it holds something else/);
    assert.equal(readFileSync(fixture.directory.at("server-key.pem"), "utf8"), before);
  });

  test("a pipe in the place of the pid file does not hang it", async () => {
    execFileSync("mkfifo", [fixture.directory.at("pipe.pid")]);
    assert.match(await fixture.refusal(["--pid-file", "pipe.pid"]), /no regular file/);
  });

  test("a pid file that an earlier run left is overwritten", async () => {
    fixture.directory.write("stale.pid", "4194303\n");
    const server = await fixture.start([...LOCAL, "--pid-file", "stale.pid"]);
    while (readFileSync(fixture.directory.at("stale.pid"), "utf8") !== `${server.pid}\n`) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(await server.stop(), 0);
    assert.equal(existsSync(fixture.directory.at("stale.pid")), false);
  });

  test("no configuration at all points at --config-file and --dev", async () => {
    const empty = makeTempDir();
    const stderr = await fixture.refusal([], { cwd: empty.path });
    assert.match(stderr, /there is no configuration.*--config-file.*serve --dev/);
    empty.remove();
  });

  test("fewer open files than connections are warned about", async () => {
    const server = await fixture.start([...LOCAL], { before: "ulimit -n 500" });
    const line = await server.event("open_files");
    assert.equal(line["limit"], 500);
    assert.equal(line["maxConnections"], 10_000);
  });

  test("what many workers have open is left out of the connections that may be", async () => {
    const ports = [...LOCAL, "--unix-socket", "many.sock", "--metrics-port", "off"];
    const options = { before: "ulimit -n 500" };
    const server = await fixture.start([...ports, "--workers", "16"], options);
    const { msg } = await server.event("open_files");
    const connections = Number(/allows (\d+) connections/.exec(String(msg))?.[1]);
    const open = readdirSync(`/proc/${server.pid}/fd`).length;
    assert.ok(connections > 300 && connections + open <= 500, `${connections} beside ${open}`);
  });

  test("a pid file that is a symbolic link is not written through", async () => {
    fixture.directory.write("precious", "precious");
    symlinkSync(fixture.directory.at("precious"), fixture.directory.at("link.pid"));
    assert.match(await fixture.refusal(["--pid-file", "link.pid"]), /link\.pid/);
    assert.equal(readFileSync(fixture.directory.at("precious"), "utf8"), "precious");
  });
});

test("an expired server certificate is an error in the log, and the server starts", async () => {
  const day = 86_400_000;
  const expired = await (await Authority.create("another authority")).issue({
    commonName: "old",
    usages: ["server"],
    names: ["localhost"],
    notBefore: new Date(Date.now() - 9 * day),
    notAfter: new Date(Date.now() - day),
  });
  fixture.directory.write("old.pem", expired.certificatePem);
  fixture.directory.write("old-key.pem", expired.keyPem);
  const server = await fixture.start([
    ...LOCAL,
    "--auth-cert",
    "old.pem",
    "--auth-key",
    "old-key.pem",
  ]);
  const line = server.lines.find(({ level }) => level === "error");
  assert.match(line?.msg ?? "", /old\.pem.*expired/);
});

test("the executable takes nothing from files that only Bun knows", () => {
  const trap = makeTempDir();
  trap.write("bunfig.toml", 'preload = ["./preload.ts"]\n');
  trap.write("preload.ts", 'console.log("loaded");\n');
  trap.write(".env", "KEYLESS_PORT=12345\n");
  const options = { cwd: trap.path, encoding: "utf8" } as const;
  const output = execFileSync(PROGRAMS.executable[0], ["config", "show"], options);
  assert.doesNotMatch(output, /loaded|12345/);
  assert.match(output, /^port +2407 +default$/m);
  trap.remove();
});
