import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readSigning } from "../../cli/ping/signing_key.ts";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { runCli } from "../support/cli.ts";
import { runConfig } from "../support/config_run.ts";
import { echo, startFakeServer } from "../support/fake_server.ts";
import { keyOf, openssl, publicKeyOf } from "../support/openssl.ts";
import { at, createPingFixture, ping, SLOW } from "../support/ping_fixture.ts";
import { closedPort } from "../support/plain_server.ts";
import type { TempDir } from "../support/temp_dir.ts";
import type { TestPki } from "../support/test_server.ts";

const MAX_BYTES = 1_048_576;
const TOO_LARGE = "is too large: 1048577 bytes, at most 1048576 are read";

let pki: TestPki;
let dir: TempDir;
let files: readonly string[];
before(async () => {
  ({ pki, dir, files } = await createPingFixture());
});
after(() => dir.remove());

/** A PEM file of this size: text before the first block is passed over. */
function sized(name: string, pem: string | Uint8Array, bytes: number): string {
  const text = typeof pem === "string" ? pem : new TextDecoder().decode(pem);
  return dir.write(name, `${"#".repeat(bytes - text.length - 1)}\n${text}`);
}

/** The flag's file, made as large as this. */
function resized(flags: readonly string[], flag: string, bytes: number): string {
  const path = flags[flags.indexOf(flag) + 1]!;
  return sized(`${flag.slice(2)}-${bytes}`, readFileSync(path), bytes);
}

describe("PEM files of 1 MiB are read, and those of a byte more are not:", () => {
  const FLAGS = ["--cert", "--key", "--ca"] as const;

  test("those of ping", SLOW, async () => {
    await using server = await startFakeServer(pki, echo);
    const all = (bytes: number) => FLAGS.flatMap((flag) => [flag, resized(files, flag, bytes)]);
    const { code, stderr } = await ping(at(server.port), ...all(MAX_BYTES), "-c", "1");
    assert.equal(stderr, "");
    assert.equal(code, 0);
    for (const flag of FLAGS) {
      const path = resized(files, flag, MAX_BYTES + 1);
      const refused = await ping(at(server.port), ...files, flag, path);
      assert.equal(refused.code, 2);
      assert.equal(refused.stderr, `keyless ping: ${flag} ${path} ${TOO_LARGE}\n`);
    }
  });

  test("those of the server", SLOW, async () => {
    const pems = {
      auth_cert: pki.credentials.certificate,
      auth_key: pki.credentials.key,
      cloudflare_ca_cert: pki.credentials.clientAuthority,
    };
    const check = (bytes: number) => {
      const lines = Object.entries(pems).map(([key, pem]) => `${key}: ${sized(key, pem, bytes)}`);
      return runConfig(dir, "check", ["port: 0", ...lines].join("\n"));
    };
    const { code, stderr } = await check(MAX_BYTES);
    assert.equal(code, 0, stderr);
    const refused = await check(MAX_BYTES + 1);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /3 things stand in the way/);
    for (const key of Object.keys(pems)) {
      assert.ok(refused.stderr.includes(`${key} ${dir.at(key)} ${TOO_LARGE}`), refused.stderr);
    }
  });

  test("the one of --public", () => {
    const pem = openssl(["pkey", "-pubout"], keyOf("P-256"));
    const signing = (bytes: number) =>
      readSigning({ public: sized("signer.pub", pem, bytes) }, undefined);
    signing(MAX_BYTES);
    assert.throws(() => signing(MAX_BYTES + 1), {
      code: "FILE_READ",
      message: `--public ${dir.at("signer.pub")}: ${TOO_LARGE}`,
    });
  });

  test("those in which --dev looks for the key of a SKI", () => {
    mkdirSync(dir.at("keys"));
    const key = keyOf("P-256");
    const { ski } = describePublicKey(publicKeyOf(key));
    const signing = (bytes: number) => {
      sized(join("keys", "p256.key"), key, bytes);
      const hex = [...ski].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      return readSigning({ ski: hex }, dir.at("keys"));
    };
    signing(MAX_BYTES);
    const message = /a SKI alone does not tell the type of its key/;
    assert.throws(() => signing(MAX_BYTES + 1), { code: "USAGE", message });
  });

  test("those of keys ski", SLOW, async () => {
    const right = sized("right.key", keyOf("P-256"), MAX_BYTES);
    const wrong = sized("wrong.key", keyOf("P-256"), MAX_BYTES + 1);
    const { code, stdout, stderr } = await runCli(["keys", "ski", right, wrong]);
    assert.equal(code, 2);
    assert.match(stdout, /^[0-9a-f]{40} {2}\S+right\.key\n$/);
    assert.equal(stderr, `keyless keys ski: ${wrong}: ${TOO_LARGE}\n`);
  });
});

test("ping takes a count of a million, which one refused connection ends", SLOW, async () => {
  const { code, stdout } = await ping(at(await closedPort()), ...files, "-c", "1000000");
  assert.equal(code, 3);
  assert.match(stdout, /1 sent, 0 received/);
});
