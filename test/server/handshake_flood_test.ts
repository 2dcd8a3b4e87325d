import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import { connect } from "node:tls";
import { RawClient } from "../support/raw_client.ts";
import { makeRsaServer } from "../support/rsa_server.ts";
import { startTestServer, TestPki, type TestServer } from "../support/test_server.ts";

const PING = { opcode: 0xf1 };
const STRANGERS = 60;

let pki: TestPki;
/** What a stranger sends: to answer it costs the server a signature by RSA-2048. */
let hello: Uint8Array;
let client: TestPki["client"];
let credentials: TestPki["credentials"];
let running: TestServer | undefined;
let strangers: Socket[] = [];

before(async () => {
  pki = await TestPki.create();
  const rsa = makeRsaServer();
  const [certificate, key] = [Buffer.from(rsa.certificate), Buffer.from(rsa.key)];
  credentials = { ...pki.credentials, certificate, key };
  client = { ...pki.client, ca: rsa.ca };
  hello = await recordHello();
});
afterEach(async () => {
  for (const stranger of strangers.splice(0)) stranger.destroy();
  await running?.server.drain(0);
  running = undefined;
});
after(() => strangers = []);

/** The first bytes that a TLS client sends. */
function recordHello(): Promise<Uint8Array> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.once("data", (bytes) => {
        socket.destroy();
        server.close();
        resolve(bytes);
      });
    });
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      connect({ port, host: "127.0.0.1" }).on("error", () => {});
    });
  });
}

/** Resolves when the server has answered the hello. */
function flood(port: number): Promise<unknown> {
  return Promise.all(Array.from({ length: STRANGERS }, () => {
    const stranger = connectTcp(port, "127.0.0.1", () => stranger.write(hello));
    strangers.push(stranger.on("error", () => {}));
    return new Promise((resolve) => stranger.once("data", resolve));
  }));
}

describe("a flood of handshakes", () => {
  test("leaves most of the time to a client who is served, and all get their turn", async () => {
    running = await startTestServer(pki, { credentials });
    const served = await RawClient.open({ ...client, port: running.port });
    let isOver = false;
    const answered = flood(running.port).then(() => isOver = true);
    let pings = 0;
    for (; !isOver; pings++) assert.equal((await served.ask(pings & 0xff, PING))?.opcode, 0xf2);
    await answered;
    assert.ok(pings > 2 * STRANGERS, `${pings} pings beside ${STRANGERS} handshakes`);
    served.socket.destroy();
  });
});
