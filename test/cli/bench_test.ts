import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { type CliResult, resultOf, runCli, spawnCli } from "../support/cli.ts";
import { refuse, signer } from "../support/bench_fixture.ts";
import { echo, type Script, startFakeServer } from "../support/fake_server.ts";
import { at, createPingFixture, SLOW } from "../support/ping_fixture.ts";
import { closedPort } from "../support/plain_server.ts";
import type { TempDir } from "../support/temp_dir.ts";
import { TestPki } from "../support/test_server.ts";

let pki: TestPki;
let dir: TempDir;
/** The flags of a good client. */
let files: readonly string[];
let privateKey: KeyObject;
before(async () => {
  ({ pki, dir, files } = await createPingFixture());
  for (const [name, pair] of Object.entries(makeKeys())) {
    dir.write(`${name}.pub`, pair.publicKey.export({ type: "spki", format: "pem" }));
    if (name === "ed25519") privateKey = pair.privateKey;
  }
});
after(() => dir.remove());

function makeKeys() {
  return {
    ed25519: generateKeyPairSync("ed25519"),
    p256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
    rsa: generateKeyPairSync("rsa", { modulusLength: 2_048 }),
  };
}

const BRIEF = ["--warmup", "0", "--requests", "100", "--connections", "2"];

function bench(...args: readonly string[]): Promise<CliResult> {
  return runCli(["bench", ...args, ...files], { cwd: dir.path });
}

describe("keyless bench", () => {
  test("measures a server, and prints a summary", SLOW, async () => {
    await using server = await startFakeServer(pki, echo);
    const { code, stdout, stderr } = await bench(at(server.port), ...BRIEF);
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.match(stdout, /100 sent, 100 answered, 0 failed/);
    assert.equal(server.peers.length, 3);
  });

  test("signs with the key of a file, and verifies", SLOW, async () => {
    await using server = await startFakeServer(pki, signer(privateKey));
    const args = ["--op", "ed25519:3,ping", "--public", "ed25519.pub", "--verify-every", "1"];
    const { code, stdout } = await bench(at(server.port), ...args, ...BRIEF, "--json");
    assert.equal(code, 0);
    const result = JSON.parse(stdout);
    assert.equal(result.schema, "keyless-bench/1");
    assert.deepEqual(result.operations.map((each: { sent: number }) => each.sent), [75, 25]);
    assert.equal(result.verification.checked, 100);
    assert.deepEqual([result.warnings, result.problems], [[], []]);
  });

  test("a server that begins to sign wrongly is found out, exit 1", SLOW, async () => {
    let count = 0;
    const script: Script = (request, peer) => {
      if (++count < 30) signer(privateKey)(request, peer);
      else echo(request, peer);
    };
    await using server = await startFakeServer(pki, script);
    const args = ["--op", "ed25519", "--public", "ed25519.pub", "--verify-every", "7"];
    const { code, stderr } = await bench(at(server.port), ...args, ...BRIEF);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^keyless bench: .*wrong, the first of them to ed25519 with ed25519\.pub\n$/,
    );
  });

  test("ended by Ctrl-C, it prints what it has measured", SLOW, async () => {
    await using server = await startFakeServer(pki, echo);
    const args = ["--duration", "10m", "--warmup", "0", "--json"];
    const child = spawnCli(["bench", at(server.port), ...args, ...files], { cwd: dir.path });
    const result = resultOf(child);
    await server.received(500);
    process.kill(child.pid!, "SIGINT"); // Deno hides the exit code after `child.kill`
    const { code, stdout } = await result;
    assert.equal(code, 0);
    const { totals, endedEarly } = JSON.parse(stdout);
    assert.equal(endedEarly, "interrupted");
    assert.ok(totals.answered > 100);
  });

  test(
    "a target that dies in the middle is told with what was measured, exit 3",
    SLOW,
    async () => {
      await using server = await startFakeServer(pki, echo);
      const running = bench(at(server.port), "--duration", "10m", "--warmup", "0");
      await server.received(500);
      await server.close();
      const { code, stdout, stderr } = await running;
      assert.equal(code, 3);
      assert.match(stdout, / answered\n.* failed/);
      assert.match(stderr, /^keyless bench: 127\.0\.0\.1:\d+: connection refused.*\n$/);
    },
  );
});

describe("keyless bench refuses before any load", () => {
  const usage: readonly [args: readonly string[], message: RegExp][] = [
    [["--op", "sign"], /--op: "sign" is no operation; give some of ping, rsa-decrypt, /],
    [["--op", "ping:0"], /--op: the weight of ping is "0"/],
    [["--op", "ed25519"], /--op ed25519 needs an Ed25519 key: give --public FILE, --ski HEX, or/],
    [
      ["--op", "ecdsa-sha256", "--public", "rsa.pub"],
      /--op ecdsa-sha256 needs an EC key, but rsa\.pub is RSA 2048\n/,
    ],
    [
      ["--op", "ecdsa-sha256", "--public", "rsa.pub", "--public", "p256.pub"],
      /no operation uses the key rsa\.pub, RSA 2048, that was given: say one with --op/,
    ],
    [["--public", "p256.pub"], /no operation uses the key p256\.pub, EC P-256, that was given/],
    [["--op", "ed25519", "--public", "none.pub"], /--public none\.pub.* no such file/],
    [["--op", "ed25519", "--ski", "abc"], /--ski takes the 20 bytes of a SKI in hexadecimal/],
    [
      ["--op", "rsa-decrypt", "--ski", "ab".repeat(20)],
      /needs an RSA key, but (?:ab){20} is known by its SKI alone; decryption needs --public FILE/,
    ],
    [["--requests", "1", "--duration", "1s"], /--requests and --duration both end the run/],
    [["--ramp", "1s"], /--ramp says how long --rate is climbed to: give --rate as well/],
    [
      ["--threads", "3", "--connections", "2"],
      /--threads is 3, but there are only 2 --connections/,
    ],
    [["--in-flight", "1025"], /--in-flight is "1025"; give a whole number from 1 to 1024/],
    [["--rate", "0"], /--rate is "0"; give a whole number from 1 to/],
    [["--duration", "0"], /--duration is "0"; give a duration/],
    [["--server-name", ""], /--server-name is empty/],
    [["--save", "/nonexistent/a"], /--save \/nonexistent\/a cannot be written: no such file/],
    [["--threshold", "p99"], /threshold "p99" is none/],
  ];
  for (const [args, message] of usage) {
    test(`${args.join(" ")}: exit 2`, SLOW, async () => {
      const { code, stdout, stderr } = await bench("127.0.0.1:1", ...args);
      assert.equal(code, 2, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, message);
    });
  }

  test("no target: exit 2", SLOW, async () => {
    const { code, stderr } = await bench();
    assert.equal(code, 2);
    assert.match(stderr, /no target: give host\[:port\] or unix:\/path, or --dev/);
  });

  test("a port that nothing listens on: exit 3", SLOW, async () => {
    const { code, stdout, stderr } = await bench(at(await closedPort()));
    assert.equal(code, 3);
    assert.equal(stdout, "");
    assert.match(stderr, /connection refused: nothing listens there/);
  });

  test("a server that does not take the client's certificate: exit 4", SLOW, async () => {
    const { client } = await TestPki.create();
    await using server = await startFakeServer(pki, echo, { ca: client.ca as string });
    const { code } = await bench(at(server.port));
    assert.equal(code, 4);
  });

  test("a key that the server does not have: exit 5, with the key's name", SLOW, async () => {
    await using server = await startFakeServer(pki, (request, peer) => refuse(request, peer, 2));
    const args = ["--op", "ed25519", "--public", "ed25519.pub"];
    const { code, stdout, stderr } = await bench(at(server.port), ...args);
    assert.equal(code, 5);
    assert.equal(stdout, "");
    assert.match(stderr, /ed25519 with ed25519\.pub: .* answered error 2: key not found/);
    assert.equal(server.peers.length, 1);
  });

  test("it ends at once where it is interrupted before the load", SLOW, async () => {
    let asked = () => {};
    const script: Script = () => asked();
    await using server = await startFakeServer(pki, script);
    const wasAsked = new Promise<void>((resolve) => asked = resolve);
    const child = spawnCli(["bench", at(server.port), ...files], { cwd: dir.path });
    const result = resultOf(child);
    await wasAsked;
    process.kill(child.pid!, "SIGINT");
    const { code, stdout, stderr } = await result;
    assert.deepEqual([code, stdout], [3, ""]);
    assert.match(stderr, /^keyless bench: .* was given up by its caller\n$/);
  });
});
