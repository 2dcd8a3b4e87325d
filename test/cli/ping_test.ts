import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { emptyResult } from "../../cli/ping/check_target.ts";
import { pingSubject } from "../../cli/ping/question.ts";
import { connectedText } from "../../cli/ping/report.ts";
import { readCredentials } from "../../src/client/credentials.ts";
import { OP_ERROR, OP_PONG, OP_RESPONSE } from "../../src/protocol/opcodes.ts";
import { Authority } from "../../src/pki/authority.ts";
import { prepareDevDirectory } from "../../src/pki/dev.ts";
import { resultOf, runCli, spawnCli } from "../support/cli.ts";
import { pemsOf } from "../support/client_fixture.ts";
import { echo, type Script, silent, startFakeServer } from "../support/fake_server.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";
import { TestPki } from "../support/test_server.ts";

const TWO_SUITES = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
/** A command may have to make keys, on a busy machine. */
const SLOW = { timeout: 60_000 };

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
const DAY_MS = 86_400_000;

let pki: TestPki;
let rogue: Authority;
let dir: TempDir;
/** The flags of a good client. */
let files: string[];
before(async () => {
  pki = await TestPki.create();
  rogue = await Authority.create("rogue authority");
  dir = makeTempDir();
  files = credentialFiles("good", pki.client);
});
after(() => dir.remove());

function credentialFiles(
  name: string,
  client: Awaited<ReturnType<TestPki["otherClient"]>>,
): string[] {
  const pems = pemsOf(client);
  const cert = dir.write(`${name}.pem`, pems.certificate as string);
  const key = dir.write(`${name}.key`, pems.key as string);
  const ca = dir.write(`${name}-ca.pem`, pems.ca as string);
  return ["--cert", cert, "--key", key, "--ca", ca];
}

/** Runs `keyless ping` without the second between requests. */
function ping(...args: string[]) {
  return runCli(["ping", "-i", "1ms", ...args]);
}

async function pingJson(...args: string[]) {
  const { code, stdout, stderr } = await ping("--json", ...args);
  return { code, stderr, document: JSON.parse(stdout) };
}

function at(port: number): string {
  return `127.0.0.1:${port}`;
}

describe("keyless ping: a healthy server", () => {
  test(
    "each answer has a line, and the phases, TLS and the certificate are shown",
    SLOW,
    async () => {
      await using server = await startFakeServer(pki, echo);
      const { code, stdout, stderr } = await ping(at(server.port), ...files);
      assert.equal(stderr, "");
      assert.equal(code, 0);
      const [first, second, ...lines] = stdout.trimEnd().split("\n");
      const ms = "\\d+(?:\\.\\d+)? ms";
      assert.match(
        first!,
        new RegExp(
          `^127\\.0\\.0\\.1:${server.port} \\(127\\.0\\.0\\.1\\): TLSv1\\.3 TLS_\\w+, ` +
            `certificate "CN=test server", 36[34] days left$`,
        ),
      );
      assert.match(
        second!,
        new RegExp(`^  resolve ${ms}, connect ${ms}, TLS ${ms}, first ping ${ms}$`),
      );
      for (const sequence of [1, 2, 3, 4]) {
        assert.match(
          lines.shift()!,
          new RegExp(`^${at(server.port)}: seq=${sequence} time=${ms}$`),
        );
      }
      assert.equal(lines.shift(), `--- ${at(server.port)} ---`);
      assert.equal(lines.shift(), "4 sent, 4 received, 0% loss");
      assert.match(lines.shift()!, /^min\/avg\/max\/p99 = (?:\d+(?:\.\d+)?\/){3}\d+(?:\.\d+)? ms$/);
      assert.deepEqual(lines, []);
      assert.equal(server.peers.length, 1, "all over one connection");
    },
  );

  test("a server of TLS 1.2 with the two reference suites is pinged", SLOW, async () => {
    const tls = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2", ciphers: TWO_SUITES } as const;
    await using server = await startFakeServer(pki, echo, tls);
    const { code, document } = await pingJson(at(server.port), ...files, "-c", "1");
    assert.equal(code, 0);
    assert.deepEqual(document.targets[0].tls, {
      version: "TLSv1.2",
      suite: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    });
  });

  test("answers that are not padded count as well", SLOW, async () => {
    await using server = await startFakeServer(pki, ({ id, operation }, peer) => {
      const payload = operation.payload!;
      const header = [1, 0, 0, 7 + payload.length, id >>> 24, id >>> 16, id >>> 8, id];
      const items = [0x11, 0, 1, OP_PONG, 0x12, 0, payload.length, ...payload];
      peer.send(Uint8Array.from([...header, ...items]));
    });
    assert.equal((await ping(at(server.port), ...files, "-c", "2")).code, 0);
  });

  test("--json is one document with version, phases, times and the certificate", SLOW, async () => {
    await using server = await startFakeServer(pki, echo);
    const { code, stderr, document } = await pingJson(at(server.port), ...files, "-c", "3");
    assert.equal(code, 0);
    assert.equal(stderr, "");
    const { targets, ...rest } = document;
    assert.deepEqual(rest, {
      version: 1,
      healthy: true,
      exitCode: 0,
      healthyTargets: 1,
      minHealthy: 1,
      operation: "ping",
      verified: null,
    });
    const [{ phasesMs, timesMs, certificate, tls, ...target }] = targets;
    assert.deepEqual(target, {
      target: at(server.port),
      healthy: true,
      exitCode: 0,
      address: "127.0.0.1",
      sent: 3,
      received: 3,
      lossPercent: 0,
      errors: [],
      hint: null,
    });
    assert.deepEqual(Object.keys(phasesMs), ["resolve", "connect", "tls", "first"]);
    for (const ms of Object.values(phasesMs)) assert.ok(typeof ms === "number" && ms >= 0);
    const { min, avg, p99, max } = timesMs;
    assert.ok(0 < min && min <= avg && avg <= max && p99 === max);
    assert.equal(tls.version, "TLSv1.3");
    assert.equal(certificate.subject, "CN=test server");
    assert.equal(certificate.issuer, "CN=test authority");
    assert.ok(certificate.daysLeft === 364 || certificate.daysLeft === 363);
    assert.ok(Math.abs(Date.parse(certificate.notAfter) - Date.now() - 365 * DAY_MS) < DAY_MS);
  });

  test("a UNIX socket is a target, checked for localhost", SLOW, async () => {
    const path = dir.at("s");
    await using _server = await startFakeServer(pki, echo, { path });
    const { code, stdout } = await ping(`unix:${path}`, ...files, "-c", "1");
    assert.equal(code, 0);
    const shown = new RegExp(`^unix:${path}: TLSv1\\.3 .*\\n  connect [\\d.]+ ms, TLS `);
    assert.match(stdout, shown);
  });

  test("the interval lies between two requests", SLOW, async () => {
    const times: number[] = [];
    await using paced = await startFakeServer(pki, (request, peer) => {
      times.push(performance.now());
      echo(request, peer);
    });
    const args = ["ping", at(paced.port), ...files, "-c", "3", "-i", "60ms"];
    assert.equal((await runCli(args)).code, 0);
    assert.ok(times[2]! - times[1]! >= 50, `${times}`);
  });
});

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
    const { code, stderr } = await ping(name, ...files);
    assert.equal(code, 3);
    assert.match(stderr, /^keyless ping: x{64}\.invalid has no address/);
  });

  test("a look-up of a name that fails does not hold the process", SLOW, async () => {
    const timeOf = async (target: string) => {
      const startMs = performance.now();
      assert.equal((await ping(target, ...files, "-W", "100ms")).code, 3);
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

describe("keyless ping: TLS that is refused", () => {
  const clients: readonly [
    what: string,
    client: () => ReturnType<TestPki["otherClient"]>,
    hint: RegExp,
  ][] = [
    [
      "of another CA",
      () => pki.otherClient({}, rogue),
      /issued by "CN=rogue authority", has no fault that can be seen from here: see that the CA/,
    ],
    [
      "that has expired",
      () => pki.otherClient({ notAfter: new Date(Date.now() - 60_000) }),
      /client's certificate "CN=test client", issued by "CN=test authority", expired on 20/,
    ],
    [
      "that is not valid yet",
      () => pki.otherClient({ notBefore: new Date(Date.now() + DAY_MS) }),
      /is not valid before 20/,
    ],
    [
      "meant for servers",
      () => pki.otherClient({ usages: ["server"] }),
      /is not meant for clients \(clientAuth\): give another with --cert and --key/,
    ],
  ];
  for (const [what, client, hint] of clients) {
    for (const maxVersion of VERSIONS) {
      test(
        `a client's certificate ${what}: exit 4, and why, under ${maxVersion}`,
        SLOW,
        async () => {
          await using server = await startFakeServer(pki, echo, { maxVersion });
          const flags = credentialFiles("refused", await client());
          const { code, stderr, stdout } = await ping(at(server.port), ...flags);
          assert.equal(code, 4);
          assert.match(stderr, /^keyless ping: .*127\.0\.0\.1:\d+/);
          assert.match(stderr, hint);
          assert.match(stdout, /seq=1 TLS_REFUSED\n[^]*1 sent, 0 received, 100% loss/);
        },
      );
    }
  }

  const servers: readonly [
    what: string,
    request: Partial<Parameters<Authority["issue"]>[0]>,
    hint: RegExp,
  ][] = [
    [
      "that has expired",
      { notBefore: new Date(Date.now() - 2 * DAY_MS), notAfter: new Date(Date.now() - DAY_MS) },
      /shows "CN=server", issued by "CN=test authority", which expired on 20/,
    ],
    [
      "that is not valid yet",
      { notBefore: new Date(Date.now() + DAY_MS) },
      /which is not valid before 20/,
    ],
    ["meant for clients", { usages: ["client"] }, /which is not meant for servers/],
    [
      "for other names",
      { names: ["keys.test", "10.0.0.1"] },
      /is not for 127\.0\.0\.1, but for DNS:keys\.test[^]*--server-name keys\.test/,
    ],
    [
      "for its common name alone",
      { commonName: "keys.test", names: [] },
      /give the server a certificate with a subject alternative name\n.* --server-name keys\.test$/m,
    ],
  ];
  for (const [what, request, hint] of servers) {
    for (const maxVersion of VERSIONS) {
      test(
        `a server's certificate ${what}: exit 4, and why, under ${maxVersion}`,
        SLOW,
        async () => {
          const pair = await serverPair(pki.authority, request);
          await using server = await startFakeServer(pki, echo, { ...pair, maxVersion });
          const { code, stderr } = await ping(at(server.port), ...files);
          assert.equal(code, 4);
          assert.match(stderr, hint);
        },
      );
    }
  }

  test("a server's certificate of another CA: exit 4, and names the issuer", SLOW, async () => {
    const pair = await serverPair(rogue, {});
    await using server = await startFakeServer(pki, echo, pair);
    const { code, document } = await pingJson(at(server.port), ...files);
    assert.equal(code, 4);
    assert.match(
      document.targets[0].hint,
      /issued by "CN=rogue authority": if that is the authority that you trust, .* --ca$/,
    );
    assert.equal(server.peers.flatMap((peer) => peer.requests).length, 0);
  });

  test("--server-name is what the certificate must be for", SLOW, async () => {
    const pair = await serverPair(pki.authority, { names: ["keys.test"] });
    await using server = await startFakeServer(pki, echo, pair);
    const run = (name: string) => ping(at(server.port), ...files, "-c", "1", "--server-name", name);
    assert.equal((await run("keys.test")).code, 0);
    assert.equal((await run("other.test")).code, 4);
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
      assert.equal(JSON.parse(ski.stdout)[0].ski, Buffer.from(operation.ski!).toString("hex"));
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
    assert.equal(document.verified, false);
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
      const ski = JSON.parse(listed.stdout)[0].ski;
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

describe("keyless ping: the days that are left, on a terminal", () => {
  const { isTTY } = process.stdout;
  const { NO_COLOR, TERM } = process.env;
  before(() => {
    process.stdout.isTTY = true;
    delete process.env["NO_COLOR"];
    process.env["TERM"] = "xterm";
  });
  after(() => {
    process.stdout.isTTY = isTTY;
    if (NO_COLOR !== undefined) process.env["NO_COLOR"] = NO_COLOR;
    if (TERM === undefined) delete process.env["TERM"];
    else process.env["TERM"] = TERM;
  });

  for (const [days, colour] of [[6, 31], [7, 33], [29, 33], [30, 32]] as const) {
    test(`${days} days have the colour ${colour}`, async () => {
      const notAfter = new Date(Date.now() + days * DAY_MS + 60_000);
      const { cert } = await serverPair(pki.authority, { notAfter });
      const result = emptyResult();
      const serverCertificate = new Uint8Array(new X509Certificate(cert).raw);
      result.handshake = { address: "::1", version: "TLSv1.3", suite: "S", serverCertificate };
      const endpoint = { kind: "tcp", host: "host", port: 1 } as const;
      const credentials = readCredentials(pemsOf(pki.client));
      const target = { endpoint, credentials, serverName: undefined };
      const text = connectedText(target, result, pingSubject());
      assert.ok(text.includes(`\u001b[${colour}m${days} days left\u001b[39m`), text);
    });
  }
});

test("keyless ping --help says which code several targets give", SLOW, async () => {
  const { code, stdout } = await runCli(["ping", "--help"]);
  assert.equal(code, 0);
  assert.match(stdout, /Of several targets the highest code counts, unless --min-healthy/);
});

describe("keyless ping: usage and files, exit 2", () => {
  const good = () => [...files];
  const without = (flag: string) => {
    const flags = [...files];
    flags.splice(flags.indexOf(flag), 2);
    return flags;
  };
  const replaced = (flag: string, value: string) => [...without(flag), flag, value];
  const cases: readonly [what: string, args: () => string[], says: RegExp][] = [
    ["--dev-dir without --dev", () => ["host", "--dev-dir", "x"], /--dev-dir goes with --dev/],
    ["an empty --dev-dir", () => ["host", "--dev", "--dev-dir", ""], /--dev-dir is empty; name/],
    ["a URL", () => ["https://host:1/", ...files], /leave out the scheme and the path: host:1\n/],
    [
      "too long a path of a socket",
      () => [`unix:/${"x".repeat(107)}`, ...files],
      /that of a UNIX socket has at most 107\n/,
    ],
    ["no target", good, /no target: give host\[:port\] or unix:\/path, or --dev/],
    ["no files", () => ["host"], /--cert and --key and --ca must be given/],
    ["no CA", () => ["host", ...without("--ca")], /--ca must be given/],
    ["a bad target", () => ["host:port", ...files], /"host:port" names no server: the port/],
    ["a count of 0", () => ["host", ...files, "-c", "0"], /-c, --count <number>.*from 1 to/],
    ["a count that is none", () => ["host", ...files, "-c", "x"], /--count/],
    ["a bad interval", () => ["host", ...files, "-i", "soon"], /--interval.*duration "soon"/],
    ["a negative timeout", () => ["host", ...files, "-W", "-1s"], /--timeout.*is negative/],
    ["a timeout of 0", () => ["host", ...files, "-W", "0"], /--timeout.*at least 1 ms/],
    ["a bad --wait", () => ["host", ...files, "--wait", "1y"], /--wait.*duration "1y"/],
    [
      "more healthy targets than targets",
      () => ["host", ...files, "--min-healthy", "2"],
      /--min-healthy is 2, but only one target is given/,
    ],
    ["an unknown operation", () => ["host", ...files, "--op", "x"], /--op.*ping, sign/],
    ["an empty server name", () => ["host", ...files, "--server-name", ""], /--server-name is/],
    ["an unknown flag", () => ["host", "--certs", "x"], /unknown option '--certs'/],
    [
      "a certificate that is not there",
      () => ["host", ...replaced("--cert", "/none.pem")],
      /--cert \/none\.pem cannot be read: no such file/,
    ],
    [
      "a directory as the key",
      () => ["host", ...replaced("--key", dir.path)],
      /--key .* is a directory/,
    ],
    [
      "a key of another certificate",
      () => {
        const other = dir.at("mismatch.key");
        execFileSync("openssl", ["genpkey", "-algorithm", "ED25519", "-out", other]);
        return ["host", ...replaced("--key", other)];
      },
      /--key .*mismatch\.key is not the key of --cert .*good\.pem/,
    ],
    [
      "a CA file without a certificate",
      () => ["host", ...replaced("--ca", dir.write("empty.pem", ""))],
      /--ca .*empty\.pem holds no certificate/,
    ],
    ["sign without a key", () => ["host", ...files, "--op", "sign"], /--public FILE or --ski HEX/],
    ["a SKI without sign", () => ["host", ...files, "--ski", "00"], /--ski .*add --op sign/],
    [
      "a SKI that is too short",
      () => ["host", ...files, "--op", "sign", "--ski", "0011"],
      /--ski takes the 20 bytes/,
    ],
    [
      "an unknown scheme",
      () => ["host", ...files, "--op", "sign", "--scheme", "rsa-decrypt"],
      /--scheme/,
    ],
    [
      "a scheme of another type of key",
      () => ["host", ...files, "--op", "sign", "--public", files[1]!, "--scheme", "rsa-sha256"],
      /--scheme rsa-sha256 does not fit a key of kind EC P-256/,
    ],
    [
      "a private key as --public",
      () => ["host", ...files, "--op", "sign", "--public", files[3]!],
      /--public .*good\.key: it holds a private key; give the public half of it: openssl pkey/,
    ],
    [
      "a --public file that holds no key",
      () => ["host", ...files, "--op", "sign", "--public", dir.write("text", "hello")],
      /--public .*text: it holds no key/,
    ],
    [
      "a key named twice",
      () => ["host", ...files, "--op", "sign", "--public", files[1]!, "--ski", "00".repeat(20)],
      /--ski and --public both name a key/,
    ],
  ];
  for (const [what, args, says] of cases) {
    test(what, SLOW, async () => {
      const { code, stdout, stderr } = await ping(...args());
      assert.match(stderr, says);
      assert.equal(code, 2);
      assert.equal(stdout, "");
      assert.doesNotMatch(stderr, /\n\s+at |internal error/);
    });
  }
});

async function serverPair(issuer: Authority, request: Partial<Parameters<Authority["issue"]>[0]>) {
  const base = { commonName: "server", usages: ["server"], names: ["127.0.0.1"] } as const;
  const issued = await issuer.issue({ ...base, ...request });
  return { cert: issued.certificatePem, key: issued.keyPem };
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function plainServer(act: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    act(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
