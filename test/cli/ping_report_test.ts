import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { emptyResult } from "../../cli/ping/check_target.ts";
import { pingSubject } from "../../cli/ping/question.ts";
import { connectedText } from "../../cli/ping/report.ts";
import { readCredentials } from "../../src/client/credentials.ts";
import { OP_PONG } from "../../src/protocol/opcodes.ts";
import { runCli } from "../support/cli.ts";
import { pemsOf } from "../support/client_fixture.ts";
import { echo, startFakeServer } from "../support/fake_server.ts";
import {
  at,
  createPingFixture,
  DAY_MS,
  ping,
  pingJson,
  serverPair,
  SLOW,
} from "../support/ping_fixture.ts";
import type { TempDir } from "../support/temp_dir.ts";
import type { TestPki } from "../support/test_server.ts";

const TWO_SUITES = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

let pki: TestPki;
let dir: TempDir;
/** The flags of a good client. */
let files: readonly string[];
before(async () => {
  ({ pki, dir, files } = await createPingFixture());
});
after(() => dir.remove());

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
      warnings: [],
      problems: [],
    });
    const [{ phasesMs, timesMs, certificate, tls, ...target }] = targets;
    assert.deepEqual(target, {
      target: at(server.port),
      healthy: true,
      exitCode: 0,
      address: "127.0.0.1",
      interrupted: null,
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
