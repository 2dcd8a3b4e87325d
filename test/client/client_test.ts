import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { before, describe, test } from "node:test";
import { toHex } from "../../src/bytes/hex.ts";
import { type ClientOptions, KeylessClient } from "../../src/client/client.ts";
import { ServerError, TransportError } from "../../src/client/errors.ts";
import { FormatError, KeylessError } from "../../src/errors/errors.ts";
import { OP_ERROR, OP_PONG, OP_RESPONSE } from "../../src/protocol/opcodes.ts";
import { pemsOf, rejection } from "../support/client_fixture.ts";
import { echo, silent, startFakeServer } from "../support/fake_server.ts";
import { closedPort } from "../support/plain_server.ts";
import { TestPki } from "../support/test_server.ts";

const BYTES = Uint8Array.of(1, 2, 3);
const SKI = new Uint8Array(20).fill(7);

describe("KeylessClient", () => {
  let pki: TestPki;
  before(async () => {
    pki = await TestPki.create();
  });

  function clientOf(port: number, options: Partial<ClientOptions> = {}): KeylessClient {
    return new KeylessClient({ host: "127.0.0.1", port, ...pemsOf(pki.client), ...options });
  }

  test("ping gives the payload back, in a buffer of the caller's own", async () => {
    await using server = await startFakeServer(pki, echo);
    const client = clientOf(server.port);
    const answer = await client.ping(BYTES);
    assert.deepEqual(answer, BYTES);
    assert.equal(answer.buffer.byteLength, 3);
    assert.deepEqual(await client.ping(), new Uint8Array(0));
    client.close();
  });

  test("ping rejects another payload than the one that was sent", async () => {
    await using server = await startFakeServer(
      pki,
      ({ id }, peer) => peer.reply(id, { opcode: OP_PONG, payload: Uint8Array.of(9) }),
    );
    const client = clientOf(server.port);
    assert.equal((await rejection(client.ping(BYTES))).code, "REPLY_BROKEN");
    client.close();
  });

  test("sign and decrypt send the opcode, the payload and all that names the key", async () => {
    await using server = await startFakeServer(pki, echo);
    const client = clientOf(server.port);
    const query = {
      ski: SKI,
      digest: new Uint8Array(32),
      serverName: "example.net",
      serverIp: Uint8Array.of(192, 0, 2, 1),
      certificateId: "c1",
    };
    assert.deepEqual(await client.sign(query, "ecdsa-sha256", BYTES), BYTES);
    assert.deepEqual(await client.decrypt({ ski: SKI }, BYTES), BYTES);
    const [sign, decrypt] = server.peers[0]!.requests.map((request) => request.operation);
    assert.equal(sign!.opcode, 0x15);
    assert.deepEqual(new Uint8Array(sign!.ski!), SKI);
    assert.deepEqual(new Uint8Array(sign!.digest!), query.digest);
    assert.deepEqual(new Uint8Array(sign!.serverIp!), query.serverIp);
    assert.equal(sign!.serverName, "example.net");
    assert.equal(sign!.certificateId, "c1");
    assert.equal(decrypt!.opcode, 0x01);
    client.close();
  });

  test("sign rejects a success that brings no signature", async () => {
    await using server = await startFakeServer(
      pki,
      ({ id }, peer) => peer.reply(id, { opcode: OP_RESPONSE }),
    );
    const client = clientOf(server.port);
    const error = await rejection(client.sign({ ski: SKI }, "ed25519", BYTES));
    assert.equal(error.code, "REPLY_BROKEN");
    client.close();
  });

  test("request sends any operation and gives the whole answer", async () => {
    await using server = await startFakeServer(
      pki,
      ({ id, operation }, peer) =>
        peer.reply(id, { opcode: OP_RESPONSE, payload: operation.extra, certificateId: "x" }),
    );
    const client = clientOf(server.port);
    const reply = await client.request({ opcode: 0x24, customFunction: "f", extra: BYTES });
    assert.equal(reply.certificateId, "x");
    assert.deepEqual(new Uint8Array(reply.payload!), BYTES);
    client.close();
  });

  test("a request that no packet can carry is rejected, and the connection lives on", async () => {
    await using server = await startFakeServer(pki, echo);
    const client = clientOf(server.port);
    const error = await rejection(client.ping(new Uint8Array(65_536)));
    assert.ok(error instanceof FormatError);
    assert.equal(error.code, "TOO_LONG");
    assert.equal((await client.ping(new Uint8Array(65_528))).length, 65_528);
    assert.equal(server.peers.length, 1);
    client.close();
  });

  test("an error reply rejects with the code of the wire, and is not asked again", async () => {
    await using server = await startFakeServer(
      pki,
      ({ id }, peer) => peer.reply(id, { opcode: OP_ERROR, payload: Uint8Array.of(2) }),
    );
    const client = clientOf(server.port);
    const error = await rejection(client.sign({ ski: SKI }, "ed25519", BYTES));
    assert.ok(error instanceof ServerError);
    assert.equal(error.wireCode, 2);
    assert.equal(error.code, "SERVER_ERROR");
    assert.match(error.message, /^127\.0\.0\.1:\d+ answered error 2: key not found/);
    assert.match(error.message, new RegExp(`\\(SKI ${toHex(SKI)}\\)$`));
    assert.equal(server.peers[0]!.requests.length, 1);
    client.close();
  });

  test("a lost connection is made again, and the request sent a second time", async () => {
    await using server = await startFakeServer(pki, (request, peer) => {
      if (server.peers.length === 1) peer.socket.destroy();
      else echo(request, peer);
    });
    const client = clientOf(server.port);
    assert.deepEqual(await client.ping(BYTES), BYTES);
    assert.equal(server.peers.length, 2);
    client.close();
  });

  test("there is no third attempt", async () => {
    await using server = await startFakeServer(pki, (_request, peer) => {
      peer.send(Uint8Array.of(1));
      peer.socket.end();
    });
    const client = clientOf(server.port);
    const error = await rejection(client.ping(BYTES));
    assert.ok(error instanceof TransportError);
    assert.equal(error.code, "CONNECTION_LOST");
    assert.equal(server.peers.length, 2);
    client.close();
  });

  test("a connection that ended between requests is made again for the next one", async () => {
    await using server = await startFakeServer(pki, echo);
    const client = clientOf(server.port);
    await client.ping();
    const { socket } = server.peers[0]!;
    socket.destroy();
    await client.ping();
    assert.equal(server.peers.length, 2);
    client.close();
  });

  test("requests that wait for a connection share one attempt to connect", async () => {
    await using server = await startFakeServer(pki, echo);
    const client = clientOf(server.port);
    await Promise.all(Array.from({ length: 50 }, () => client.ping()));
    assert.equal(server.peers.length, 1);
    client.close();
  });

  test("requests beyond the number that may wait for a connection are refused", async () => {
    await using server = await startFakeServer(pki, echo);
    const client = clientOf(server.port, { maxWaiting: 2 });
    const two = [client.ping(), client.ping()];
    assert.equal((await rejection(client.ping())).code, "QUEUE_FULL");
    await Promise.all(two);
    client.close();
  });

  test("a server that cannot be reached rejects all requests that wait for it", async () => {
    const client = clientOf(await closedPort());
    const errors = await Promise.all([rejection(client.ping()), rejection(client.ping())]);
    for (const error of errors) {
      assert.equal(error.code, "CONNECT");
      assert.match(error.message, /connection refused: nothing listens there/);
    }
    client.close();
  });

  test("a client that never reached its server reaches it once it is there", async () => {
    const port = await closedPort();
    const client = clientOf(port);
    assert.equal((await rejection(client.ping())).code, "CONNECT");
    await using _server = await startFakeServer(pki, echo, { port });
    assert.deepEqual(await client.ping(BYTES), BYTES);
    client.close();
  });

  test("the deadline covers connecting too", async () => {
    const mute = createServer(() => {}).listen(0, "127.0.0.1");
    await once(mute, "listening");
    const client = clientOf((mute.address() as AddressInfo).port);
    const error = await rejection(client.ping(BYTES, { timeoutMs: 30 }));
    assert.equal(error.code, "DEADLINE");
    assert.match(error.message, /within 30 ms/);
    client.close();
    mute.close();
  });

  test("the client's own timeout holds where a request brings none", async () => {
    await using server = await startFakeServer(pki, silent);
    const client = clientOf(server.port, { timeoutMs: 60 });
    assert.match((await rejection(client.ping())).message, /no answer from .* within 60 ms/);
    client.close();
  });

  test("a connection that does not come about in its own time is tried twice", async () => {
    let connections = 0;
    const mute = createServer(() => connections++).listen(0, "127.0.0.1");
    await once(mute, "listening");
    const client = clientOf((mute.address() as AddressInfo).port, { connectTimeoutMs: 30 });
    const error = await rejection(client.ping());
    assert.equal(error.code, "CONNECT");
    assert.match(error.message, /TLS handshake .* did not end within 30 ms/);
    assert.equal(connections, 2);
    client.close();
    mute.close();
  });

  test("close gives up what is under way and refuses what comes later", async () => {
    await using server = await startFakeServer(pki, silent);
    const client = clientOf(server.port);
    const underWay = rejection(client.ping());
    await server.received(1);
    client.close();
    assert.equal((await underWay).code, "ABORTED");
    assert.equal((await rejection(client.ping())).code, "ABORTED");
  });

  test("close in the middle of connecting leaves no connection behind", async () => {
    await using server = await startFakeServer(pki, echo);
    const client = clientOf(server.port);
    const waiting = rejection(client.ping());
    client.close();
    assert.equal((await waiting).code, "ABORTED");
    const other = clientOf(server.port);
    await other.ping();
    assert.equal(server.peers.length, 1);
    other.close();
  });

  test("a client must be told where its server is, and in one way", () => {
    const usage = (error: unknown) => error instanceof KeylessError && error.code === "USAGE";
    assert.throws(() => new KeylessClient(pemsOf(pki.client)), usage);
    assert.throws(() => clientOf(1, { socketPath: "/tmp/x" }), usage);
    const tooLong = { host: undefined, socketPath: `/${"x".repeat(107)}` };
    assert.throws(
      () => clientOf(1, tooLong),
      /has 108 bytes; that of a UNIX socket has at most 107/,
    );
  });
});

/** A port on which nothing listens: the system gave it, and has it back. */
