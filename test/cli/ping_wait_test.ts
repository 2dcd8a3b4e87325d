import assert from "node:assert/strict";
import { once } from "node:events";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { resultOf, spawnCli } from "../support/cli.ts";
import { echo, silent, startFakeServer } from "../support/fake_server.ts";
import { at, createPingFixture, ping, pingJson, SLOW } from "../support/ping_fixture.ts";
import { closedPort, plainServer } from "../support/plain_server.ts";
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

describe("keyless ping --wait", () => {
  test("waits until the server is there, and pings it then", SLOW, async () => {
    const port = await closedPort();
    const child = spawnCli(["ping", at(port), ...files, "--wait", "30s", "-c", "2", "-i", "1ms"]);
    let stdout = "";
    child.stdout.on("data", (chunk) => stdout += chunk);
    while (!stdout.includes("waiting")) await once(child.stdout, "data");
    assert.match(stdout, /^127\.0\.0\.1:\d+: waiting, not healthy yet: CONNECT\n$/);
    await using _server = await startFakeServer(pki, echo, { port });
    const [code] = await once(child, "close");
    assert.equal(code, 0);
    assert.match(stdout, /2 sent, 2 received, 0% loss/);
  });

  test(
    "a server that does not come in time has the code of what stood in the way",
    SLOW,
    async () => {
      const { code, stderr } = await ping(at(await closedPort()), ...files, "--wait", "300ms");
      assert.equal(code, 3);
      assert.match(stderr, /connection refused/);
    },
  );

  test("what is told is an attempt that had its full time", SLOW, async () => {
    using server = await plainServer(() => {});
    const args = ["-W", "300ms", "--wait", "600ms"];
    const { code, stderr } = await ping(at(server.port), ...files, ...args);
    assert.equal(code, 3);
    assert.match(stderr, /did not end within 300 ms/);
  });

  test("an attempt that the wait cuts short has a time in whole milliseconds", SLOW, async () => {
    using server = await plainServer(() => {});
    const { code, stderr } = await ping(at(server.port), ...files, "--wait", "200ms");
    assert.equal(code, 3);
    assert.match(stderr, /did not end within 200 ms/);
  });

  test("with enough healthy targets the others are not waited for", SLOW, async () => {
    await using good = await startFakeServer(pki, echo);
    const targets = [at(await closedPort()), at(good.port)];
    const args = [...targets, ...files, "-c", "1", "--wait", "10m", "--min-healthy", "1"];
    const { code, document } = await pingJson(...args);
    assert.equal(code, 0);
    assert.equal(document.healthyTargets, 1);
  });
});

describe("keyless ping: Ctrl-C", () => {
  for (
    const [what, script, exit] of [["answers", echo, 0], ["has not answered", silent, 1]] as const
  ) {
    test(
      `shows what was measured so far; exit ${exit} where the server ${what}`,
      SLOW,
      async () => {
        await using server = await startFakeServer(pki, script);
        const args = [at(server.port), ...files, "-c", "1000", "-i", "5ms", "-W", "1h"];
        const child = spawnCli(["ping", ...args]);
        let stdout = "";
        let stderr = "";
        child.stdout.on("data", (chunk) => stdout += chunk);
        child.stderr.on("data", (chunk) => stderr += chunk);
        if (exit === 0) { while (!stdout.includes("seq=3")) await once(child.stdout, "data"); }
        else await server.received(1);
        process.kill(child.pid!, "SIGINT"); // Deno hides the exit code after `child.kill`
        const [code, signal] = await once(child, "close");
        assert.equal(signal, null);
        assert.equal(code, exit);
        assert.match(stdout, /---\n\d+ sent, \d+ received, 0% loss\n/);
        if (exit === 1) {
          assert.match(stderr, /warning: .*: interrupted while waiting for the answer/);
        }
      },
    );
  }

  test("says what it has cut off", SLOW, async () => {
    const greeted = Promise.withResolvers<void>();
    using server = await plainServer((socket) => socket.once("data", () => greeted.resolve()));
    const child = spawnCli(["ping", at(server.port), ...files, "--wait", "1h"]);
    const ended = resultOf(child);
    await greeted.promise;
    process.kill(child.pid!, "SIGINT");
    const { code, stderr } = await ended;
    assert.equal(code, 1);
    const said = `keyless ping: warning: ${
      at(server.port)
    }: interrupted during the TLS handshake\n`;
    assert.equal(stderr, said);
  });
});
