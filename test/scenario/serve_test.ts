import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, createPublicKey, verify } from "node:crypto";
import { existsSync, lstatSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { Authority } from "../../src/pki/authority.ts";
import { KeylessClient, ServerError } from "../../src/mod.ts";
import { RawClient } from "../support/raw_client.ts";
import { PROGRAM_NAMES, PROGRAMS, RunningServer } from "../support/running_server.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const PASSPHRASE = "correct horse battery staple";

let directory: TempDir;
let server: RunningServer | undefined;

before(async () => {
  directory = makeTempDir();
  const authority = await Authority.create("the authority");
  directory.write("keyless_cacert.pem", authority.certificatePem);
  const own = await authority.issue({
    commonName: "server",
    usages: ["server"],
    names: ["localhost", "127.0.0.1"],
  });
  directory.write("server.pem", own.certificatePem);
  directory.write("server-key.pem", own.keyPem);
  const client = await authority.issue({ commonName: "edge\u001b[31m-1", usages: ["client"] });
  directory.write("client.pem", client.certificatePem);
  directory.write("client-key.pem", client.keyPem);
  openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.key");
  openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.key");
  openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out rsa4096.key");
  openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out weak.key");
  openssl(
    "genpkey -algorithm ED25519 -aes256 -pass stdin -out encrypted.key",
    PASSPHRASE,
  );
  directory.write("broken.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
  directory.write("passphrase", `${PASSPHRASE}\n`);
});
after(() => directory.remove());
afterEach(async () => {
  await server?.kill();
  server = undefined;
});

const LOCAL = ["--bind", "127.0.0.1", "--port", "0"];

async function start(args: readonly string[], options: object = {}): Promise<RunningServer> {
  server = await RunningServer.start(args, { cwd: directory.path, ...options });
  return server;
}

/** Starts what is expected to end by itself. */
async function refusal(args: readonly string[], options: object = {}): Promise<string> {
  server = new RunningServer([...LOCAL, ...args], { cwd: directory.path, ...options });
  assert.equal(await server.ended, 2, server.stderr);
  assert.doesNotMatch(server.stderr, /\n\s+at /, "a stack trace");
  return server.stderr;
}

function openssl(command: string, input = ""): void {
  execFileSync("openssl", command.split(" "), { cwd: directory.path, input, stdio: "pipe" });
}

const pem = (name: string) => readFileSync(directory.at(name));

function connect(to: { port?: number; socketPath?: string }): KeylessClient {
  return new KeylessClient({
    ...("port" in to ? { host: "127.0.0.1", port: to.port } : { socketPath: to.socketPath }),
    serverName: "localhost",
    certificate: pem("client.pem"),
    key: pem("client-key.pem"),
    ca: pem("keyless_cacert.pem"),
  });
}

function openRaw(port: number): Promise<RawClient> {
  const files = { cert: pem("client.pem"), key: pem("client-key.pem") };
  return RawClient.open({ ...files, ca: pem("keyless_cacert.pem"), port });
}

function publicKey(name: string) {
  const key = createPublicKey(pem(name));
  const spki = new Uint8Array(key.export({ type: "spki", format: "der" }));
  return { key, ski: describePublicKey(spki).ski };
}

describe("an existing gokeyless.yaml", () => {
  test("is served as it is, found in the working directory", async () => {
    directory.write(
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
  - file: rsa4096.key
log_level: 1
`,
    );
    const { port } = await start(["--bind", "127.0.0.1"]);
    const { key, ski } = publicKey("p256.key");
    const client = connect({ port });
    const digest = createHash("sha256").update("hello").digest();
    const signature = await client.sign({ ski }, "ecdsa-sha256", digest);
    assert.ok(verify("sha256", new TextEncoder().encode("hello"), key, signature));
    client.close();
    assert.equal(readFileSync(directory.at("keyless.pid"), "utf8"), `${server?.pid}\n`);
    const warning = server?.lines.find(({ msg }) => msg.includes("log_level"));
    assert.match(warning?.msg ?? "", /gokeyless\.yaml:14:1: .*loglevel/);
    assert.doesNotMatch(server?.stderr ?? "", /v1\.0-secret/);
    assert.equal(await server?.stop(), 0);
    assert.equal(existsSync(directory.at("keyless.pid")), false);
    rmSync(directory.at("gokeyless.yaml"));
  });

  test("gives way to variables, and those to flags with underscores", async () => {
    directory.write("other.yaml", "port: 1\nbind: 192.0.2.1\nloglevel: 3\n");
    const env = { KEYLESS_PORT: "2", KEYLESS_LOGLEVEL: "info" };
    await start(["--config_file=other.yaml", "--bind", "127.0.0.1", "--port=0"], { env });
    assert.equal(server?.lines.at(-1)?.event, "listening");
    assert.notEqual(server?.port, 1);
  });
});

describe("keys", () => {
  test("one that is broken stops the start and is named with its reason", async () => {
    const stderr = await refusal(["--private-key-files", "p256.key,broken.key"]);
    assert.match(stderr, /broken\.key/);
    assert.doesNotMatch(stderr, /AAAA/);
  });

  test("with --keep-going the others are served, and the broken one is named", async () => {
    await start([...LOCAL, "--private-key-files", "p256.key,broken.key", "--keep-going"]);
    assert.equal((await server?.event("listening"))?.["keys"], 1);
    assert.ok(server?.lines.some(({ level, msg }) => level === "warn" && /broken\.key/.test(msg)));
  });

  test("an encrypted one is opened with a passphrase from a file", async () => {
    const files = ["--private-key-files", "encrypted.key", "--passphrase-file", "passphrase"];
    const { port } = await start([...LOCAL, ...files]);
    const client = connect({ port });
    const plain = execFileSync("openssl", [
      ...["pkey", "-in", "encrypted.key", "-passin", "file:passphrase"],
      ...["-pubout", "-outform", "DER"],
    ], { cwd: directory.path });
    const { ski } = describePublicKey(new Uint8Array(plain));
    assert.equal((await client.sign({ ski }, "ed25519", Uint8Array.of(1))).length, 64);
    client.close();
  });

  test("or from the environment, and neither shows it at the level debug", async () => {
    const env = { KEYLESS_PASSPHRASE: PASSPHRASE, KEYLESS_LOGLEVEL: "0" };
    await start([...LOCAL, "--private-key-files", "encrypted.key"], { env });
    assert.doesNotMatch(server?.stderr ?? "", /correct horse/);
  });

  test("an encrypted one without, or with a wrong passphrase says what to give", async () => {
    const files = ["--private-key-files", "encrypted.key"];
    assert.match(await refusal(files), /encrypted\.key.*--passphrase-file/s);
    const wrong = await refusal(files, { env: { KEYLESS_PASSPHRASE: "wrong-guess" } });
    assert.match(wrong, /encrypted\.key.*passphrase/s);
    assert.doesNotMatch(wrong, /wrong-guess/);
  });

  test("RSA of 1,024 bits is refused unless it is asked for by name", async () => {
    const files = ["--private-key-files", "weak.key"];
    assert.match(await refusal(files), /weak\.key.*--allow-weak-keys/s);
    await start([...LOCAL, ...files, "--allow-weak-keys"]);
    assert.equal((await server?.event("listening"))?.["keys"], 1);
  });

  test("the portable engine serves EC keys when asked for by name, with a warning", async () => {
    const args = [...LOCAL, "--private-key-files", "p256.key", "--crypto", "portable"];
    const { port } = await start(args);
    assert.ok(
      server?.lines.some(({ level, msg }) =>
        level === "warn" && /timing depends on the key/.test(msg)
      ),
    );
    assert.match(String((await server?.event("listening"))?.["crypto"]), /node:crypto/);
    const { key, ski } = publicKey("p256.key");
    const client = connect({ port });
    const digest = createHash("sha256").update("hello").digest();
    const signature = await client.sign({ ski }, "ecdsa-sha256", digest);
    assert.ok(verify("sha256", new TextEncoder().encode("hello"), key, signature));
    client.close();
  });
});

describe("what stands in the way of a start", () => {
  test("a certificate that is not there is named", async () => {
    assert.match(await refusal(["--auth-cert", "none.pem"]), /auth_cert none\.pem/);
  });

  test("a key of another certificate is named", async () => {
    assert.match(await refusal(["--auth-key", "client-key.pem"]), /client-key\.pem/);
  });

  test("a port that is taken is named", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    assert.match(await refusal(["--port", String(port)]), new RegExp(`port ${port}`));
    await new Promise((resolve) => other.close(resolve));
  });

  test("PKCS#11 stores are named as not there yet", async () => {
    directory.write("uri.yaml", "private_key_stores:\n  - uri: pkcs11:token=a?pin-value=98765\n");
    const stderr = await refusal(["--config-file", "uri.yaml"]);
    assert.match(stderr, /uri\.yaml:2:/);
    assert.doesNotMatch(stderr, /98765/);
  });

  test("a bad value is told with file, line, column and what would be right", async () => {
    directory.write("bad.yaml", "port: 2407\nidle_timeout: soon\n");
    const stderr = await refusal(["--config-file", "bad.yaml"]);
    assert.match(stderr, /bad\.yaml:2:15.*idle_timeout.*30s/s);
  });

  test("a port in use, an address that is not ours and a missing directory have their mends", async () => {
    assert.match(await refusal(["--bind", "192.0.2.1"]), /192\.0\.2\.1 .*--bind/);
    assert.match(await refusal(["--bind", "nosuch.invalid"]), /the name has no address.*--bind/);
    const socket = ["--unix-socket", "none/keyless.sock"];
    assert.match(await refusal(socket), /none\/keyless\.sock: its directory does not exist/);
  });

  test("a pid file that holds anything else is left as it is", async () => {
    const before = readFileSync(directory.at("server-key.pem"), "utf8");
    const stderr = await refusal(["--pid-file", "server-key.pem"]);
    assert.match(stderr, /pid_file server-key\.pem cannot be written: it holds something else/);
    assert.equal(readFileSync(directory.at("server-key.pem"), "utf8"), before);
  });

  test("a pipe in the place of the pid file does not hang it", async () => {
    execFileSync("mkfifo", [directory.at("pipe.pid")]);
    assert.match(await refusal(["--pid-file", "pipe.pid"]), /no regular file/);
  });

  test("a pid file that an earlier run left is overwritten", async () => {
    directory.write("stale.pid", "4194303\n");
    await start([...LOCAL, "--pid-file", "stale.pid"]);
    while (readFileSync(directory.at("stale.pid"), "utf8") !== `${server?.pid}\n`) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(await server?.stop(), 0);
    assert.equal(existsSync(directory.at("stale.pid")), false);
  });

  test("no configuration at all points at --config-file and --dev", async () => {
    const empty = makeTempDir();
    const stderr = await refusal([], { cwd: empty.path });
    assert.match(stderr, /there is no configuration.*--config-file.*serve --dev/);
    empty.remove();
  });

  test("fewer open files than connections are warned about", async () => {
    await start([...LOCAL], { before: "ulimit -n 500" });
    const line = await server?.event("open_files");
    assert.equal(line?.["limit"], 500);
    assert.equal(line?.["maxConnections"], 10_000);
  });

  test("a pid file that is a symbolic link is not written through", async () => {
    directory.write("precious", "precious");
    symlinkSync(directory.at("precious"), directory.at("link.pid"));
    assert.match(await refusal(["--pid-file", "link.pid"]), /link\.pid/);
    assert.equal(readFileSync(directory.at("precious"), "utf8"), "precious");
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
  directory.write("old.pem", expired.certificatePem);
  directory.write("old-key.pem", expired.keyPem);
  await start([...LOCAL, "--auth-cert", "old.pem", "--auth-key", "old-key.pem"]);
  const line = server?.lines.find(({ level }) => level === "error");
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

for (const program of PROGRAM_NAMES) {
  describe(`the ${program}`, () => {
    test("drains on SIGTERM: what it has read is answered, and it exits 0", async () => {
      const args = [...LOCAL, "--private-key-files", "rsa4096.key"];
      const { port } = await start(args, { program });
      const { ski } = publicKey("rsa4096.key");
      const client = await openRaw(port);
      const count = 50;
      for (let id = 0; id < count; id++) {
        client.send(id, { opcode: 0x05, ski, payload: new Uint8Array(32) });
      }
      assert.equal((await client.next())?.operation.opcode, 0xf0);
      server?.signal("SIGTERM");
      await server?.event("stopping");
      let answers = 1;
      while (await client.next() !== undefined) answers += 1;
      assert.equal(answers, count);
      assert.equal(await server?.ended, 0);
    });

    test("exits 1 when the deadline of a drain cuts requests", async () => {
      const { port } = await start([...LOCAL, "--shutdown-timeout", "300ms"], { program });
      await fillWithUnreadReplies(port);
      server?.signal("SIGINT");
      assert.notEqual((await server?.event("stopped"))?.["cut"], 0);
      assert.equal(await server?.ended, 1);
    });

    test("stays on SIGHUP, and says that it cannot reload", async () => {
      const { port } = await start(LOCAL, { program });
      server?.signal("SIGHUP");
      assert.match((await server?.event("signal"))?.msg ?? "", /cannot reload/);
      const client = connect({ port });
      await client.ping();
      client.close();
      assert.equal(await server?.stop(), 0);
    });

    test("stops when a signal comes while it loads its keys", async () => {
      const many = makeTempDir();
      for (let index = 0; index < 2_000; index++) {
        many.write(`${index}.key`, readFileSync(directory.at("p384.key")));
      }
      // a setting without effect is warned about before the keys are loaded
      const args = [...LOCAL, "--metrics-port", "1", "--private-key-dirs", many.path];
      server = new RunningServer(args, { cwd: directory.path, program });
      await server.event("configuration", ({ msg }) => msg.includes("metrics_port"));
      assert.equal(await server.stop(), 0);
      assert.equal(server.lines.some(({ event }) => event === "listening"), false);
      many.remove();
    });

    test("ends at once on a second signal", async () => {
      const files = ["--pid-file", `${program}.pid`, "--unix-socket", `${program}-second.sock`];
      const { port } = await start([...LOCAL, "--shutdown-timeout", "1h", ...files], { program });
      await fillWithUnreadReplies(port);
      server?.signal("SIGTERM");
      await server?.event("stopping");
      server?.signal("SIGTERM");
      assert.equal(await server?.ended, 1);
      assert.equal(existsSync(directory.at(`${program}.pid`)), false);
      assert.equal(existsSync(directory.at(`${program}-second.sock`)), false);
    });

    test("serves a UNIX socket of mode 0600, and replaces one left by a crash", async () => {
      const path = directory.at(`${program}.sock`);
      const args = ["--port", "off", "--unix-socket", path];
      for (const _ of ["first", "after a crash"]) {
        await start(args, { program });
        assert.equal(lstatSync(path).mode & 0o777, 0o600);
        const client = connect({ socketPath: path });
        await client.ping(Uint8Array.of(1));
        client.close();
        await server?.kill();
        assert.ok(existsSync(path));
      }
    });

    test("refuses a symbolic link in the place of a UNIX socket", async () => {
      const path = directory.at(`${program}-link.sock`);
      symlinkSync(directory.at("precious-socket"), path);
      assert.match(await refusal(["--unix-socket", path], { program }), /symbolic link/);
    });

    test("logs a failed request once, with names that cannot forge a line", async () => {
      const { port } = await start([...LOCAL, "--private-key-files", "p256.key"], { program });
      const client = connect({ port });
      const query = { ski: new Uint8Array(20).fill(1), serverName: 'a\n{"level":"fatal"}' };
      await assert.rejects(
        client.sign(query, "ecdsa-sha256", new Uint8Array(32)),
        (error: unknown) => error instanceof ServerError && error.wireCode === 2,
      );
      client.close();
      const line = await server?.event("request_failed");
      assert.equal(line?.["client"], "edge\\u{1b}[31m-1");
      assert.equal(line?.["sni"], 'a\\u{a}{"level":"fatal"}');
      assert.equal(line?.["ski"], "01".repeat(20));
      assert.match(String(line?.["requestId"]), /^[0-9a-f-]{36}$/);
      assert.equal(server?.lines.filter(({ event }) => event === "request_failed").length, 1);
    });

    test("writes no line for a request that it serves", async () => {
      const { port } = await start(LOCAL, { program });
      const client = connect({ port });
      for (let count = 0; count < 20; count++) await client.ping();
      client.close();
      assert.equal(await server?.stop(), 0);
      const events = server?.lines.map(({ event }) => event).filter((each) =>
        each !== "configuration"
      );
      assert.deepEqual(events, ["listening", "stopping", "stopped"]);
    });
  });
}

/** A client that asks for more than it takes: its replies stay in flight. */
async function fillWithUnreadReplies(port: number): Promise<void> {
  const client = await openRaw(port);
  client.stopReading();
  const payload = new Uint8Array(60_000);
  let id = 0;
  while (!client.socket.writableNeedDrain || await drainedWithin(client, 500)) {
    client.send(id++, { opcode: 0xf1, payload });
  }
  client.socket.on("error", () => {});
}

function drainedWithin(client: RawClient, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), timeoutMs);
    client.socket.once("drain", () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
