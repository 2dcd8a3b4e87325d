import assert from "node:assert/strict";
import { createPrivateKey, sign as signWith } from "node:crypto";
import { readFileSync } from "node:fs";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { checkTarget } from "../../cli/ping/check_target.ts";
import { pingSubject } from "../../cli/ping/question.ts";
import { readCredentials } from "../../src/client/credentials.ts";
import { OP_ERROR, OP_RESPONSE } from "../../src/protocol/opcodes.ts";
import { type CliResult, resultOf, spawnCli } from "../support/cli.ts";
import { pemsOf } from "../support/client_fixture.ts";
import { echo, type Script, silent, startFakeServer } from "../support/fake_server.ts";
import { openssl } from "../support/openssl.ts";
import { at, createPingFixture, pingJson, SLOW } from "../support/ping_fixture.ts";
import { closedPort } from "../support/plain_server.ts";
import type { TempDir } from "../support/temp_dir.ts";
import type { TestPki } from "../support/test_server.ts";

let pki: TestPki;
let dir: TempDir;
let files: readonly string[];
before(async () => {
  ({ pki, dir, files } = await createPingFixture());
  dir.write("signing.key", openssl(["genpkey", "-algorithm", "ED25519"]));
  dir.write("signing.pub", openssl(["pkey", "-in", dir.at("signing.key"), "-pubout"]));
});
after(() => dir.remove());

/** Sends SIGINT as soon as `ready` resolves. */
async function interrupted(
  args: readonly string[],
  ready: Promise<unknown>,
): Promise<{ readonly result: CliResult; readonly document: ReturnType<typeof JSON.parse> }> {
  const child = spawnCli(["ping", "--json", ...args]);
  const ended = resultOf(child);
  await ready;
  process.kill(child.pid!, "SIGINT"); // Deno hides the exit code after `child.kill`
  const result = await ended;
  return { result, document: JSON.parse(result.stdout) };
}

describe("keyless ping --json: an interruption", () => {
  test("says what was under way, in the target and in a warning", SLOW, async () => {
    await using server = await startFakeServer(pki, silent);
    const args = [at(server.port), ...files, "-W", "1h"];
    const { result, document } = await interrupted(args, server.received(1));
    assert.equal(result.code, 1);
    assert.equal(result.stderr, "");
    assert.equal(document.targets[0].interrupted, "while waiting for the answer");
    assert.deepEqual(document.warnings, [
      `${at(server.port)}: interrupted while waiting for the answer`,
    ]);
    assert.deepEqual(document.problems, []);
  });

  test("between two requests is told as well", async () => {
    await using server = await startFakeServer(pki, echo);
    const endpoint = { kind: "tcp", host: "127.0.0.1", port: server.port } as const;
    const credentials = readCredentials(pemsOf(pki.client));
    const interrupt = new AbortController();
    const result = await checkTarget({ endpoint, credentials, serverName: undefined }, {
      subject: pingSubject(),
      count: 3,
      intervalMs: 3_600_000,
      timeoutMs: 4_000,
      signal: interrupt.signal,
      observer: {
        connected: () => {},
        answered: () => interrupt.abort(),
        failed: (_target, _sequence, error) => assert.fail(error),
      },
    });
    assert.equal(result.sent, 1);
    assert.equal(result.interrupted, "between two requests");
  });

  test("of which there was none is null", SLOW, async () => {
    await using server = await startFakeServer(pki, echo);
    const { document } = await pingJson(at(server.port), ...files, "-c", "1");
    assert.equal(document.targets[0].interrupted, null);
  });
});

describe("keyless ping --json: verified", () => {
  const right: Script = ({ id, operation }, peer) => {
    const key = createPrivateKey(readFileSync(dir.at("signing.key")));
    peer.reply(id, {
      opcode: OP_RESPONSE,
      payload: new Uint8Array(signWith(null, operation.payload!, key)),
    });
  };
  const wrong: Script = ({ id }, peer) =>
    peer.reply(id, { opcode: OP_RESPONSE, payload: new Uint8Array(64) });
  const refused: Script = ({ id }, peer) =>
    peer.reply(id, { opcode: OP_ERROR, payload: Uint8Array.of(8) });

  for (
    const [what, script, count] of [
      ["signatures that are right are counted", right, 3],
      ["a signature that is wrong does not count", wrong, 0],
      ["an error in its place does not count", refused, 0],
    ] as const
  ) {
    test(what, SLOW, async () => {
      await using server = await startFakeServer(pki, script);
      const args = ["--op", "sign", "--public", dir.at("signing.pub"), "-c", "3"];
      const { document } = await pingJson(at(server.port), ...files, ...args);
      assert.equal(document.verified, count);
    });
  }

  test("is 0 where nothing can be verified, with the warning", SLOW, async () => {
    await using server = await startFakeServer(pki, right);
    const key = ["--ski", "ab".repeat(20), "--scheme", "ed25519"];
    const args = [at(server.port), ...files, "--op", "sign", ...key, "-c", "1"];
    const { code, document } = await pingJson(...args);
    assert.equal(code, 0);
    assert.equal(document.verified, 0);
    assert.deepEqual(document.warnings, [
      "signatures were received, but not verified: give --public FILE",
    ]);
  });
});

describe("keyless ping --json: what failed", () => {
  test("is a problem with its hint", SLOW, async () => {
    await using server = await startFakeServer(
      pki,
      ({ id }, peer) => peer.reply(id, { opcode: OP_ERROR, payload: Uint8Array.of(2) }),
    );
    const { code, document } = await pingJson(at(server.port), ...files, "-c", "2");
    assert.equal(code, 5);
    assert.equal(document.problems.length, 1);
    assert.equal(document.problems[0].code, "SERVER_ERROR");
    assert.match(document.problems[0].message, /key not found[^\n]*\n {2}on the server, /);
  });

  test("is a warning where enough other targets are healthy", SLOW, async () => {
    await using server = await startFakeServer(pki, echo);
    const targets = [at(server.port), at(await closedPort())];
    const args = [...targets, ...files, "--min-healthy", "1", "-c", "1"];
    const { code, document } = await pingJson(...args);
    assert.equal(code, 0);
    assert.match(document.warnings.join("\n"), /^127\.0\.0\.1:\d+: connection refused/);
    assert.deepEqual(document.problems, []);
  });
});
