import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { before, describe, test } from "node:test";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import { readCredentials } from "../../src/client/credentials.ts";
import type { Phase } from "../../src/client/dial.ts";
import { lookAtCertificate } from "../../src/client/look.ts";
import { OP_PING } from "../../src/protocol/opcodes.ts";
import { Authority } from "../../src/pki/authority.ts";
import { openConnection, pemsOf, rejection } from "../support/client_fixture.ts";
import { echo, startFakeServer } from "../support/fake_server.ts";
import { makeRsaServer } from "../support/rsa_server.ts";
import { closedPort, plainServer } from "../support/plain_server.ts";
import { TestPki } from "../support/test_server.ts";

const PING = { opcode: OP_PING, payload: Uint8Array.of(1) };
const SOON = { timeoutMs: 4_000 };
const RSA_SUITE = "ECDHE-RSA-AES256-GCM-SHA384";
const TWO_SUITES = `ECDHE-ECDSA-AES256-GCM-SHA384:${RSA_SUITE}`;
const DAY_MS = 86_400_000;

/** Refused by every resolver without asking the network: a label has at most 63 characters. */
const NO_NAME = `${"x".repeat(64)}.invalid`;

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;

let pki: TestPki;
let rogue: Authority;
before(async () => {
  pki = await TestPki.create();
  rogue = await Authority.create("rogue authority");
});

function withCredentials(client: TlsOptions) {
  return { credentials: readCredentials(pemsOf(client)) };
}

async function serverPair(request: Partial<Parameters<Authority["issue"]>[0]>, from?: Authority) {
  const issued = await (from ?? pki.authority).issue({
    commonName: "server",
    usages: ["server"],
    names: ["127.0.0.1"],
    ...request,
  });
  return { cert: issued.certificatePem, key: issued.keyPem };
}

describe("dial: handshakes that succeed", () => {
  for (const version of VERSIONS) {
    test(`${version} is spoken, and told with the suite and the server's certificate`, async () => {
      await using server = await startFakeServer(pki, echo, { maxVersion: version });
      const connection = await openConnection(pki, server.port);
      const { handshake } = connection;
      assert.equal(handshake.version, version);
      assert.equal(handshake.address, "127.0.0.1");
      assert.match(handshake.suite, /^TLS_[A-Z0-9_]+$/);
      const certificate = new X509Certificate(handshake.serverCertificate);
      assert.equal(certificate.subject, "CN=test server");
      await connection.request(PING, SOON);
      connection.close();
    });
  }

  test("a server of TLS 1.2 with the two reference suites is reached", async () => {
    const tls = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2", ciphers: TWO_SUITES } as const;
    await using server = await startFakeServer(pki, echo, tls);
    const connection = await openConnection(pki, server.port);
    assert.equal(connection.handshake.suite, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
    await connection.request(PING, SOON);
    connection.close();
  });

  test("a server of TLS 1.2 with an RSA certificate and its reference suite alone is reached", async () => {
    const { certificate: cert, key, ca } = makeRsaServer();
    const tls = { cert, key, maxVersion: "TLSv1.2", ciphers: RSA_SUITE } as const;
    await using server = await startFakeServer(pki, echo, tls);
    const client = withCredentials({ ...pki.client, ca });
    const connection = await openConnection(pki, server.port, client);
    assert.equal(connection.handshake.suite, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
    await connection.request(PING, SOON);
    connection.close();
  });

  test("each phase is told once it is done, in order", async () => {
    await using server = await startFakeServer(pki, echo);
    const phases: Phase[] = [];
    const connection = await openConnection(pki, server.port, {
      endpoint: { kind: "tcp", host: "localhost", port: server.port },
      onPhase: (phase, elapsedMs) => {
        assert.ok(elapsedMs >= 0 && elapsedMs < 4_000);
        phases.push(phase);
      },
    });
    assert.deepEqual(phases, ["resolve", "connect", "tls"]);
    connection.close();
  });

  test("a UNIX socket is reached, and has nothing to resolve", async () => {
    const directory = await mkdtemp(join(tmpdir(), "keyless-dial-"));
    const path = join(directory, "s");
    {
      await using _server = await startFakeServer(pki, echo, { path });
      const phases: Phase[] = [];
      const connection = await openConnection(pki, 0, {
        endpoint: { kind: "unix", path },
        onPhase: (phase) => phases.push(phase),
      });
      assert.deepEqual(phases, ["connect", "tls"]);
      assert.equal(connection.handshake.address, path);
      await connection.request(PING, SOON);
      connection.close();
    }
    await rm(directory, { recursive: true });
  });

  test("closing ends the connection in good order: the server sees an end, no error", async () => {
    const errors: Error[] = [];
    await using server = await startFakeServer(pki, echo, {
      onConnect: ({ socket }) => socket.on("error", (error) => errors.push(error)),
    });
    const connection = await openConnection(pki, server.port);
    await connection.request(PING, SOON);
    const closed = once(server.peers[0]!.socket, "close");
    connection.close();
    await closed;
    assert.deepEqual(errors, []);
  });
});

describe("dial: servers that are not trusted", () => {
  const cases: readonly [
    what: string,
    pair: () => ReturnType<typeof serverPair>,
    says: RegExp,
  ][] = [
    ["of another CA", () => serverPair({}, rogue), /certificate is not accepted/],
    [
      "that has expired",
      () =>
        serverPair({
          notBefore: new Date(Date.now() - 2 * DAY_MS),
          notAfter: new Date(Date.now() - DAY_MS),
        }),
      /certificate is not accepted/,
    ],
    [
      "that is not valid yet",
      () => serverPair({ notBefore: new Date(Date.now() + DAY_MS) }),
      /certificate is not accepted/,
    ],
    ["meant for clients", () => serverPair({ usages: ["client"] }), /certificate is not accepted/],
    [
      "for another address",
      () => serverPair({ names: ["127.0.0.2", "::1"] }),
      /is not for 127\.0\.0\.1, but for IP Address:127\.0\.0\.2, IP Address:/,
    ],
    [
      "for its common name alone",
      () => serverPair({ commonName: "keys \u001b[31m", names: [] }),
      /it has no subject alternative name, but the common name "keys \\u\{1b\}\[31m" alone/,
    ],
    [
      "for a name where an address was asked for",
      () => serverPair({ commonName: "127.0.0.1", names: ["localhost"] }),
      /is not for 127\.0\.0\.1, but for DNS:localhost/,
    ],
  ];
  for (const [what, pair, says] of cases) {
    for (const maxVersion of VERSIONS) {
      test(`a server's certificate ${what} is refused under ${maxVersion}`, async () => {
        await using server = await startFakeServer(pki, echo, { ...await pair(), maxVersion });
        const error = await rejection(openConnection(pki, server.port));
        assert.equal(error.code, "TLS_REFUSED");
        assert.match(error.message, /^no TLS with 127\.0\.0\.1:\d+: /);
        assert.match(error.message, says);
        assert.equal(server.peers.flatMap((peer) => peer.requests).length, 0);
      });
    }
  }

  test("a server name replaces the host in what the certificate must be for", async () => {
    await using server = await startFakeServer(pki, echo, await serverPair({ names: ["a.test"] }));
    const connection = await openConnection(pki, server.port, { serverName: "a.test" });
    connection.close();
    const error = await rejection(openConnection(pki, server.port, { serverName: "b.test" }));
    assert.equal(error.code, "TLS_REFUSED");
    assert.match(error.message, /is not for b\.test, but for DNS:a\.test/);
  });

  test("environment variables that weaken Node's TLS change nothing", async () => {
    const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    try {
      await using server = await startFakeServer(pki, echo, await serverPair({}, rogue));
      assert.equal((await rejection(openConnection(pki, server.port))).code, "TLS_REFUSED");
    } finally {
      if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
    }
  });

  test("lookAtCertificate shows a certificate that is not to be trusted", async () => {
    await using server = await startFakeServer(pki, echo, await serverPair({}, rogue));
    const certificate = await lookAtCertificate({
      endpoint: { kind: "tcp", host: "127.0.0.1", port: server.port },
      ...withCredentials(pki.client),
      timeoutMs: 4_000,
    });
    assert.equal(certificate?.issuer, "CN=rogue authority");
  });

  test("lookAtCertificate shows none where nothing answers TLS", async () => {
    using plain = await plainServer((socket) => socket.end("220 smtp\r\n"));
    const { port } = plain;
    const certificate = await lookAtCertificate({
      endpoint: { kind: "tcp", host: "127.0.0.1", port },
      ...withCredentials(pki.client),
      timeoutMs: 4_000,
    });
    assert.equal(certificate, undefined);
  });
});

describe("dial: clients that are refused", () => {
  const clients: readonly [what: string, client: () => Promise<TlsOptions>][] = [
    ["of another CA", () => pki.otherClient({}, rogue)],
    ["that has expired", () => pki.otherClient({ notAfter: new Date(Date.now() - 60_000) })],
    [
      "that is not valid yet",
      () => pki.otherClient({ notBefore: new Date(Date.now() + DAY_MS) }),
    ],
    ["meant for servers", () => pki.otherClient({ usages: ["server"] })],
  ];
  for (const [what, client] of clients) {
    for (const maxVersion of VERSIONS) {
      test(`a client's certificate ${what} is a TLS refusal under ${maxVersion}`, async () => {
        await using server = await startFakeServer(pki, echo, { maxVersion });
        const error = await rejection(pingOnce(server.port, await client()));
        assert.equal(error.code, "TLS_REFUSED");
        assert.match(error.message, /client's certificate/);
        assert.equal(server.peers.length, 0);
      });
    }
  }

  test("under TLS 1.2 an end before the first answer is no refusal, but a loss", async () => {
    await using server = await startFakeServer(
      pki,
      (_request, { socket }) => socket.destroy(),
      { maxVersion: "TLSv1.2" },
    );
    assert.equal((await rejection(pingOnce(server.port, pki.client))).code, "CONNECTION_LOST");
  });

  async function pingOnce(port: number, client: TlsOptions): Promise<void> {
    const connection = await openConnection(pki, port, withCredentials(client));
    await connection.request(PING, SOON);
    connection.close();
  }
});

describe("dial: what is no key server", () => {
  test("a port that nothing listens on", async () => {
    const port = await closedPort();
    const error = await rejection(openConnection(pki, port));
    assert.equal(error.code, "CONNECT");
    assert.match(error.message, /^127\.0\.0\.1:\d+: connection refused: nothing listens there/);
  });

  test("a UNIX socket that is not there", async () => {
    const endpoint = { kind: "unix", path: join(tmpdir(), "keyless-none.sock") } as const;
    const error = await rejection(openConnection(pki, 0, { endpoint }));
    assert.equal(error.code, "CONNECT");
    assert.match(error.message, /keyless-none\.sock: no such socket/);
  });

  test("a name that has no address", async () => {
    const endpoint = { kind: "tcp", host: NO_NAME, port: 1 } as const;
    const error = await rejection(openConnection(pki, 0, { endpoint }));
    assert.equal(error.code, "RESOLVE");
    assert.match(error.message, /^x{64}\.invalid has no address/);
  });

  const plain: readonly [what: string, act: (socket: Socket) => void, says: RegExp][] = [
    ["talks first", (socket) => socket.write("220 ready\r\n"), /does not speak TLS/],
    ["closes at once", (socket) => socket.end(), /does not speak TLS/],
    ["resets at once", (socket) => socket.resetAndDestroy(), /speak TLS/],
    ["resets", (socket) => socket.once("data", () => socket.resetAndDestroy()), /speak TLS/],
  ];
  for (const [what, act, says] of plain) {
    test(`a plain server that ${what}`, async () => {
      using plain = await plainServer(act);
      const { port } = plain;
      const error = await rejection(openConnection(pki, port));
      assert.equal(error.code, "TLS_REFUSED");
      assert.match(error.message, says);
    });
  }

  test("a server that never takes part in the handshake costs the time that was given", async () => {
    using plain = await plainServer(() => {});
    const { port } = plain;
    const error = await rejection(openConnection(pki, port, { timeoutMs: 30 }));
    assert.equal(error.code, "CONNECT");
    assert.match(error.message, /TLS handshake with .* did not end within 30 ms/);
  });

  test("an abort ends connecting at once", async () => {
    using plain = await plainServer(() => controller.abort());
    const { port } = plain;
    const controller = new AbortController();
    const error = await rejection(openConnection(pki, port, { signal: controller.signal }));
    assert.equal(error.code, "ABORTED");
  });

  test("a signal that is aborted already ends connecting before it begins", async () => {
    const options = { signal: AbortSignal.abort() };
    assert.equal((await rejection(openConnection(pki, 1, options))).code, "ABORTED");
  });
});
