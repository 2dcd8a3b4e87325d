import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { prepareDevDirectory } from "../../src/pki/dev.ts";
import { OP_RESPONSE } from "../../src/protocol/opcodes.ts";
import { runCli, spawnCli } from "../support/cli.ts";
import { echo, type Script, startFakeServer } from "../support/fake_server.ts";
import { at, createPingFixture, ping, pingJson, SLOW } from "../support/ping_fixture.ts";
import type { TempDir } from "../support/temp_dir.ts";
import type { TestPki } from "../support/test_server.ts";

let pki: TestPki;
let dir: TempDir;
/** The flags of a good client. */
let files: readonly string[];
before(async () => {
  ({ pki, dir, files } = await createPingFixture());
});
after(() => dir.remove());

describe("keyless ping --op sign", () => {
  let publicKey: string;
  let otherKey: string;
  before(() => {
    for (const name of ["signer", "other"]) {
      const out = dir.at(`${name}.key`);
      openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", out);
      openssl("pkey", "-in", out, "-pubout", "-out", dir.at(`${name}.pub`));
    }
    publicKey = dir.at("signer.pub");
    otherKey = dir.at("other.pub");
    const request = ["-new", "-key", dir.at("signer.key"), "-subj", "/CN=signer"];
    openssl("req", ...request, "-out", dir.at("signer.csr"));
    openssl("req", ...request, "-x509", "-days", "1", "-out", dir.at("signer.crt"));
    openssl("x509", "-in", dir.at("signer.crt"), "-outform", "DER", "-out", dir.at("signer.der"));
  });

  function openssl(...args: string[]): void {
    execFileSync("openssl", args, { stdio: "pipe" });
  }

  /** Signs as a key server does, by openssl. */
  const sign: Script = ({ id, operation }, peer) => {
    const input = dir.write(`digest-${id}`, operation.payload!);
    const args = ["pkeyutl", "-sign", "-inkey", dir.at("signer.key"), "-in", input];
    peer.reply(id, { opcode: OP_RESPONSE, payload: execFileSync("openssl", args) });
  };

  for (const form of ["signer.pub", "signer.csr", "signer.crt", "signer.der"]) {
    test(`--public ${form} asks by its SKI, and verifies each signature`, SLOW, async () => {
      await using server = await startFakeServer(pki, sign);
      const args = ["--op", "sign", "--public", dir.at(form), "-c", "2"];
      const { code, stdout, stderr } = await ping(at(server.port), ...files, ...args);
      assert.equal(stderr, "");
      assert.equal(code, 0);
      assert.match(stdout, /first sign ecdsa-sha256 [\d.]+ ms/);
      assert.match(stdout, /seq=2 sign ecdsa-sha256 verified time=/);
      const { operation } = server.peers[0]!.requests[0]!;
      const ski = await runCli(["keys", "ski", publicKey, "--json"]);
      assert.equal(JSON.parse(ski.stdout).keys[0].ski, Buffer.from(operation.ski!).toString("hex"));
    });
  }

  test("a signature by another key exits 1", SLOW, async () => {
    await using server = await startFakeServer(pki, sign);
    const args = ["--op", "sign", "--public", otherKey, "-c", "1"];
    const { code, stdout, stderr } = await ping(at(server.port), ...files, ...args);
    assert.equal(code, 1);
    assert.match(stdout, /seq=1 CHECK_FAILED/);
    assert.match(stderr, /answered wrongly: the signature with ecdsa-sha256 is wrong/);
  });

  test("--ski alone takes a scheme, and says that nothing was verified", SLOW, async () => {
    await using server = await startFakeServer(pki, sign);
    const args = ["--op", "sign", "--ski", "ab".repeat(20)];
    const without = await ping(at(server.port), ...files, ...args);
    assert.equal(without.code, 2);
    assert.match(without.stderr, /add --scheme, or give --public FILE/);
    const all = [...files, ...args, "--scheme", "ecdsa-sha256", "-c", "1"];
    const { code, stdout, stderr } = await ping(at(server.port), ...all);
    assert.equal(code, 0);
    assert.match(stdout, /seq=1 sign ecdsa-sha256 time=/);
    assert.match(stderr, /^keyless ping: warning: .*not verified: give --public FILE\n$/);
    const { document } = await pingJson(at(server.port), ...all);
    assert.equal(document.verified, 0);
  });
});

describe("keyless ping --dev", () => {
  test(
    "uses the directory's client certificate, and finds its keys by their SKI",
    SLOW,
    async () => {
      const devDir = dir.at("dev");
      const devFlags = ["--dev", "--dev-dir", devDir];
      const server = spawnCli([
        "serve",
        ...[...devFlags, "--port", "0", "--metrics-port", "off", "--log-format", "json"],
      ]);
      let log = "";
      server.stderr.on("data", (chunk) => log += chunk);
      while (!/"port":\d+/.test(log)) await once(server.stderr, "data");
      assert.match(log, /^keyless serve: making throw-away keys and certificates in \/.*dev\n/);
      const target = at(Number(/"port":(\d+)/.exec(log)![1]));
      const { code } = await ping(...devFlags, target, "-c", "1");
      assert.equal(code, 0);

      const published = ["--op", "sign", "--public", dir.at("dev", "keys", "p256.pub")];
      const verified = await ping(...devFlags, target, ...published, "-c", "1");
      assert.equal(verified.code, 0);
      assert.match(verified.stdout, /seq=1 sign ecdsa-sha256 verified time=/);

      const listed = await runCli(["keys", "ski", dir.at("dev", "keys", "p384.key"), "--json"]);
      const ski = JSON.parse(listed.stdout).keys[0].ski;
      const args = [...devFlags, target, "--op", "sign", "--ski", ski, "-c", "1"];
      const signed = await ping(...args);
      assert.equal(signed.code, 0);
      assert.match(signed.stdout, /seq=1 sign ecdsa-sha384 verified time=/);

      const unknown = ["--op", "sign", "--ski", "00".repeat(20), "--scheme", "ed25519"];
      const missing = await ping(...devFlags, target, ...unknown, "-c", "1");
      assert.equal(missing.code, 5);
      assert.match(missing.stderr, /answered error 2: key not found.*\(SKI 0{40}\)\n/);

      const keyless = await ping(...devFlags, target, "--op", "sign");
      assert.equal(keyless.code, 2);
      assert.match(keyless.stderr, /give --public \/.*dev\/keys\/p256\.pub or --ski HEX/);
      server.kill("SIGTERM");
      await once(server, "close");
    },
  );

  test("makes no directory: it says where to run", SLOW, async () => {
    const { code, stderr } = await runCli(["ping", "--dev"], { cwd: dir.path });
    assert.equal(code, 2);
    assert.match(stderr, /keyless-dev is not there; run this where `keyless serve --dev` runs/);
    assert.ok(!existsSync(dir.at("keyless-dev")));
  });

  test(
    "a server with other certificates: the hint is the directory, not the CA",
    SLOW,
    async () => {
      const devDir = dir.at("other-dev");
      mkdirSync(dir.at("other-dev", "keys"), { recursive: true, mode: 0o700 });
      chmodSync(devDir, 0o700);
      dir.write("other-dev/.keyless-dev", "");
      await prepareDevDirectory(devDir);
      await using server = await startFakeServer(pki, echo);
      const devFlags = ["--dev", "--dev-dir", devDir];
      const { code, stderr } = await ping(...devFlags, at(server.port));
      assert.equal(code, 4);
      assert.match(stderr, /it does not use \/.*other-dev as that is now: name its directory with/);
      assert.doesNotMatch(stderr, /--ca/);
      const mixed = await ping(...devFlags, at(server.port), "--ca", files[1]!);
      assert.match(mixed.stderr, /issued by "CN=test authority".*--ca/);
    },
  );
});
