import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { OP_ERROR, OP_PONG } from "../../src/protocol/opcodes.ts";
import { echo, type Script, silent, startFakeServer } from "../support/fake_server.ts";
import { at, createPingFixture, ping, pingAlone, pingJson, SLOW } from "../support/ping_fixture.ts";
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

describe("keyless ping: a server that answers wrongly or not", () => {
  const cases: readonly [
    what: string,
    script: Script,
    code: number,
    line: RegExp,
    says: RegExp,
  ][] = [
    [
      "an error reply exits 5",
      ({ id }, peer) => peer.reply(id, { opcode: OP_ERROR, payload: Uint8Array.of(8) }),
      5,
      /seq=2 SERVER_ERROR 8\n[^]*2 sent, 2 received, 0% loss, 2 wrong/,
      /answered error 8: internal error/,
    ],
    [
      "an unknown key exits 5, and says where to look",
      ({ id }, peer) => peer.reply(id, { opcode: OP_ERROR, payload: Uint8Array.of(2) }),
      5,
      /seq=2 SERVER_ERROR 2\n/,
      /answered error 2: key not found.*\n {2}on the server, `keyless keys list` shows the keys/,
    ],
    [
      "another protocol over TLS exits 5 at once",
      (_request, peer) => peer.send(new TextEncoder().encode("HTTP/1.0 400 Bad Request\r\n\r\n")),
      5,
      /seq=2 REPLY_BROKEN\n/,
      /a packet of version 72; is it a key server that listens there\?/,
    ],
    [
      "another payload in the pong exits 1",
      ({ id }, peer) => peer.reply(id, { opcode: OP_PONG, payload: Uint8Array.of(1) }),
      1,
      /seq=2 CHECK_FAILED\n[^]*2 sent, 2 received, 0% loss, 2 wrong/,
      /answered wrongly: the pong does not hold what the ping sent/,
    ],
    [
      "no answer within the timeout exits 3",
      silent,
      3,
      /seq=2 DEADLINE\n[^]*2 sent, 0 received, 100% loss/,
      /no answer from .* within 500 ms/,
    ],
    [
      "an answer that breaks the protocol exits 5",
      (_request, peer) => peer.reply(77, { opcode: OP_PONG }),
      5,
      /seq=2 REPLY_BROKEN\n/,
      /sent what the protocol forbids: an answer to 77, which nothing asked/,
    ],
    [
      "a connection that is lost in the middle of an answer exits 3",
      (_request, peer) => peer.socket.end(Uint8Array.of(1)),
      3,
      /seq=2 CONNECTION_LOST\n/,
      /ended before the answer/,
    ],
  ];
  for (const [what, script, exit, line, says] of cases) {
    test(what, SLOW, async () => {
      await using server = await startFakeServer(pki, script);
      const args = ["-c", "2", "-W", script === silent ? "500ms" : "4s"];
      const { code, stdout, stderr } = await ping(at(server.port), ...files, ...args);
      assert.equal(code, exit);
      assert.match(stdout, line);
      assert.match(stderr, says);
      assert.doesNotMatch(stderr, /\n\s+at /, "no stack trace");
    });
  }

  test("one lost answer among others is told, and is not healthy", SLOW, async () => {
    let asked = 0;
    await using server = await startFakeServer(pki, (request, peer) => {
      if (++asked === 2) peer.reply(request.id, { opcode: OP_ERROR, payload: Uint8Array.of(1) });
      else echo(request, peer);
    });
    const { code, document } = await pingJson(at(server.port), ...files);
    assert.equal(code, 5);
    const [target] = document.targets;
    assert.equal(target.sent, 4);
    assert.equal(target.received, 4);
    assert.equal(target.healthy, false);
    assert.deepEqual(
      target.errors.map(({ code, wireCode, count }: Record<string, unknown>) => {
        return { code, wireCode, count };
      }),
      [{ code: "SERVER_ERROR", wireCode: 1, count: 1 }],
    );
  });

  test("after a loss the next request goes over a new connection", SLOW, async () => {
    let asked = 0;
    await using server = await startFakeServer(pki, (request, peer) => {
      if (++asked === 2) peer.socket.destroy();
      else echo(request, peer);
    });
    const { code, stdout } = await ping(at(server.port), ...files);
    assert.equal(code, 3);
    assert.match(stdout, /seq=2 CONNECTION_LOST\n[^]*seq=3 time=[^]*seq=4 time=/);
    assert.match(stdout, /4 sent, 3 received, 25% loss/);
    assert.equal(server.peers.length, 2);
  });
});

describe("keyless ping: servers that cannot be reached", () => {
  test("nothing listens: exit 3, and whether the server runs", SLOW, async () => {
    const port = await closedPort();
    const { code, stdout, stderr } = await ping(at(port), ...files);
    assert.equal(code, 3);
    assert.match(stderr, new RegExp(`^keyless ping: ${at(port)}: connection refused: nothing`));
    assert.match(stdout, /1 sent, 0 received, 100% loss/);
    const { document } = await pingJson(at(port), ...files);
    assert.equal(document.exitCode, 3);
    assert.equal(document.targets[0].errors[0].code, "CONNECT");
    assert.equal(document.targets[0].phasesMs.tls, null);
  });

  test("a name without an address: exit 3, and names the host", SLOW, async () => {
    const name = `${"x".repeat(64)}.invalid`;
    const { code, stderr } = await pingAlone(name, ...files);
    assert.equal(code, 3);
    assert.match(stderr, /^keyless ping: x{64}\.invalid has no address/);
  });

  // the one test that asks the machine's own resolver: a name that is answered without a query is
  // answered at once, and holds nothing
  test("a look-up of a name that fails does not hold the process", SLOW, async () => {
    const timeOf = async (target: string) => {
      const startMs = performance.now();
      assert.equal((await pingAlone(target, ...files, "-W", "100ms")).code, 3);
      return performance.now() - startMs;
    };
    const longer: number[] = [];
    const closed = at(await closedPort());
    for (let attempt = 0; attempt < 3; attempt++) { // the machine may be busy with something else
      const usualMs = await timeOf(closed);
      longer.push(await timeOf("nosuch.invalid") - usualMs);
      if (longer.at(-1)! < 600) return;
    }
    assert.fail(`it took ${longer} ms longer than a refused connection`);
  });

  test("a missing UNIX socket: exit 3", SLOW, async () => {
    const { code, stderr } = await ping(`unix:${dir.at("none")}`, ...files);
    assert.equal(code, 3);
    assert.match(stderr, /none: no such socket: is the server running/);
  });

  test("a plain server that says nothing: exit 3, after the timeout", SLOW, async () => {
    using server = await plainServer(() => {});
    const { code, stderr } = await ping(at(server.port), ...files, "-W", "50ms");
    assert.equal(code, 3);
    assert.match(stderr, /the TLS handshake with .* did not end within 50 ms/);
  });

  test("a plain server that talks: exit 4, and asks for the port", SLOW, async () => {
    using server = await plainServer((socket) => socket.write("220 ready\r\n"));
    const { code, stderr } = await ping(at(server.port), ...files);
    assert.equal(code, 4);
    assert.match(stderr, /what listens there does not speak TLS; is it the right port\?/);
  });
});

describe("keyless ping: several targets", () => {
  test("all healthy: exit 0, a summary each, and one of all", SLOW, async () => {
    await using a = await startFakeServer(pki, echo);
    await using b = await startFakeServer(pki, echo);
    const { code, stdout } = await ping(at(a.port), at(b.port), ...files, "-c", "1");
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`--- ${at(a.port)} ---\n1 sent, 1 received`));
    assert.match(stdout, new RegExp(`--- ${at(b.port)} ---\n1 sent, 1 received`));
    assert.match(stdout, /\n--- 2 targets, 2 healthy, 2 needed ---\n$/);
  });

  test("the highest code of all counts", SLOW, async () => {
    await using good = await startFakeServer(pki, echo);
    using plain = await plainServer((socket) => socket.end("220\r\n"));
    const gone = at(await closedPort());
    const targets = [at(plain.port), at(good.port), gone];
    const { code, document } = await pingJson(...targets, ...files, "-c", "1");
    assert.equal(code, 4);
    assert.equal(document.healthyTargets, 1);
    const codes = document.targets.map((each: { exitCode: number }) => each.exitCode);
    assert.deepEqual(codes, [4, 0, 3]);
  });

  test("--min-healthy decides: enough give 0, too few the highest code", SLOW, async () => {
    await using good = await startFakeServer(pki, echo);
    const args = [at(good.port), at(await closedPort()), ...files, "-c", "1"];
    const enough = await ping(...args, "--min-healthy", "1");
    assert.equal(enough.code, 0);
    assert.match(enough.stderr, /^keyless ping: warning: 127\.0\.0\.1:\d+: connection refused/);
    const tooFew = await ping(...args, "--min-healthy", "2");
    assert.equal(tooFew.code, 3);
    assert.match(tooFew.stderr, /^keyless ping: 127\.0\.0\.1:\d+: connection refused/);
  });
});
