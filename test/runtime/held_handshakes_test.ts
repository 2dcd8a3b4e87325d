import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect as connectTcp, type Socket } from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import { connect, createServer, type Server as TlsServer, type TLSSocket } from "node:tls";
import { type HeldHandshakes, holdHandshakes } from "../../src/runtime/held_handshakes.ts";
import { rawSocketOf } from "../../src/runtime/socket.ts";
import { TestPki } from "../support/test_server.ts";

let pki: TestPki;
let tls: TlsServer;
let held: HeldHandshakes;
let port: number;
let came: Socket[] = [];
const clients: Socket[] = [];

before(async () => {
  pki = await TestPki.create();
  const { certificate: cert, key } = pki.credentials;
  tls = createServer({ cert: cert as Buffer, key: key as Buffer });
  held = holdHandshakes(tls, (socket) => came.push(socket));
  held.server.listen(0, "127.0.0.1");
  await once(held.server, "listening");
  ({ port } = held.server.address() as AddressInfo);
});
beforeEach(() => {
  came = [];
});
after(() => {
  for (const client of clients) client.destroy();
  held.server.close();
});

/** A TLS client whose hello has left, and the server's socket that holds it. */
async function openHeld(): Promise<{ client: TLSSocket; socket: Socket }> {
  const client = connect({ port, host: "127.0.0.1", servername: "localhost", ca: pki.client.ca! });
  clients.push(client.on("error", () => {}));
  while (came.length === 0) await later(1);
  await later(50);
  return { client, socket: came.shift()! };
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("a handshake that is held back", () => {
  test("is not answered until it begins, and then nothing of it is lost", async () => {
    const { client, socket } = await openHeld();
    assert.deepEqual([client.bytesRead, socket.bytesRead], [0, 0]);
    const begun = once(tls, "secureConnection");
    held.begin(socket);
    const [served] = await begun as [TLSSocket];
    assert.equal(rawSocketOf(served), socket);
    client.write("hello");
    const [data] = await once(served, "data");
    assert.equal(String(data), "hello");
    served.end();
    await once(client.resume(), "close");
  });

  test("does not hold others back", async () => {
    const first = await openHeld();
    const second = await openHeld();
    held.begin(second.socket);
    await once(second.client, "secureConnect");
    assert.equal(first.client.bytesRead, 0);
    held.begin(first.socket);
    await once(first.client, "secureConnect");
  });

  test("can be cut, and its peer is told", async () => {
    const { client, socket } = await openHeld();
    socket.on("error", () => {});
    const closed = new Promise((resolve) => client.resume().once("close", resolve));
    socket.destroy();
    await closed;
  });

  test("fails when it begins after its peer has left", async () => {
    for (const leave of ["destroy", "resetAndDestroy"] as const) {
      const client = connectTcp(port, "127.0.0.1").on("error", () => {});
      while (came.length === 0) await later(1);
      const socket = came.shift()!.on("error", () => {});
      const failed = once(tls, "tlsClientError");
      client[leave]();
      await later(20);
      held.begin(socket);
      const [, refused] = await failed as [Error, TLSSocket];
      assert.equal(rawSocketOf(refused), socket);
    }
  });
});
