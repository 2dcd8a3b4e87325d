import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type DevDirectory, prepareDevDirectory } from "../../src/pki/dev.ts";
import { echo, startFakeServer } from "../support/fake_server.ts";
import { makeKey } from "../support/openssl.ts";
import { RunningServer } from "../support/running_server.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";
import { TestPki } from "../support/test_server.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BUN = `${ROOT}node_modules/.bin/bun`;

let directory: TempDir;
let server: RunningServer | undefined;
before(() => {
  directory = makeTempDir();
});
after(() => directory.remove());
afterEach(async () => {
  await server?.kill();
  server = undefined;
});

describe("scripts/quickstart.sh", () => {
  test("with --once checks every kind of key, stops its server, and exits 0", async () => {
    const { port, close } = await takePort();
    await close();
    const { code, output } = await quickstart("--once", ...at(port));
    assert.equal(code, 0, output);
    const keys = readdirSync(`${dev("shared")}/keys`).filter((name) => name.endsWith(".key"));
    assert.ok(keys.length >= 3);
    for (const name of keys) {
      assert.match(output, new RegExp(`^${name} .* Signature Verified Successfully$`, "m"));
    }
    await (await takePort(port)).close(); // nobody else has it any more
  });

  test("with --once exits 1 where its port is taken, and says so", async () => {
    const { port, close } = await takePort();
    const { code, output } = await quickstart("--once", ...at(port));
    await close();
    assert.equal(code, 1, output);
    assert.match(output, new RegExp(`port ${port}`));
    assert.match(output, /the server did not start, see above/);
    assert.doesNotMatch(output, STACK_TRACE);
  });

  test("exits 2 for a flag that it does not know, before it does anything", async () => {
    const { code, output } = await quickstart("--onec");
    assert.equal(code, 2);
    assert.match(output, /^quickstart: what is --onec\? usage: [^\n]*\n$/);
  });
});

describe("scripts/quickstart_check.ts", () => {
  test("exits 1 where the server does not have a key, and says which", async () => {
    const args = ["--dev", "--dev-dir", dev("swapped"), "--port", "0"];
    server = await RunningServer.start(args, { cwd: directory.path });
    directory.write("swapped/keys/p256.key", makeKey("P-256"));
    const { code, output } = await check(dev("swapped"), server.port);
    assert.equal(code, 1, output);
    assert.match(output, /^p256\.key +ecdsa-sha256 +none: .* answered error 2: key not found/m);
    assert.match(output, /^ed25519\.key .* Signature Verified Successfully$/m);
    assert.match(output, /^quickstart: signatures missing or wrong: 1, see above$/m);
    assert.doesNotMatch(output, STACK_TRACE);
  });

  test("exits 1 where a signature does not verify", async () => {
    const { directory, ...files } = await prepareDevDirectory(dev("shared"));
    await using fake = await startFakeServer(await TestPki.create(), echo, tlsOf(files));
    const { code, output } = await check(directory, fake.port);
    assert.equal(code, 1, output);
    assert.doesNotMatch(output, /Verified Successfully/);
    assert.match(output, /^quickstart: signatures missing or wrong: \d+, see above$/m);
    assert.doesNotMatch(output, STACK_TRACE);
  });

  test("exits 1 where nothing listens, and says so", async () => {
    const { directory } = await prepareDevDirectory(dev("shared"));
    const { port, close } = await takePort();
    await close();
    const { code, output } = await check(directory, port);
    assert.equal(code, 1, output);
    assert.match(output, /none: .*connection refused/);
    assert.doesNotMatch(output, STACK_TRACE);
  });
});

const STACK_TRACE = /\n\s+at /;

const at = (port: number) => ["--port", String(port), "--dir", dev("shared")];
const dev = (name: string) => directory.at(name);

function tlsOf({ serverCertificate, serverKey, ca }: Omit<DevDirectory, "directory">) {
  return {
    cert: readFileSync(serverCertificate),
    key: readFileSync(serverKey),
    ca: readFileSync(ca),
  };
}

/** Listens on a port: the given one, or one that the system chooses. */
async function takePort(wanted = 0) {
  const listener = createServer();
  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject);
    listener.listen(wanted, "127.0.0.1", resolve);
  });
  const { port } = listener.address() as AddressInfo;
  return { port, close: () => new Promise<void>((resolve) => listener.close(() => resolve())) };
}

function quickstart(...args: readonly string[]): Promise<Ended> {
  return run("sh", [`${ROOT}scripts/quickstart.sh`, ...args]);
}

function check(devDirectory: string, port: number): Promise<Ended> {
  return run(BUN, [`${ROOT}scripts/quickstart_check.ts`, devDirectory, String(port)]);
}

interface Ended {
  readonly code: number | null;
  /** Of stdout and stderr together. */
  readonly output: string;
}

function run(command: string, args: readonly string[]): Promise<Ended> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const take = (chunk: Uint8Array) => {
    output += new TextDecoder().decode(chunk);
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, output })));
}
