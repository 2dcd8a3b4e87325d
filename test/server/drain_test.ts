import assert from "node:assert/strict";
import { before, test } from "node:test";
import { RawClient } from "../support/raw_client.ts";
import { startTestServer, storeOf, TestPki } from "../support/test_server.ts";

const SIGN = { opcode: 0x18, ski: new Uint8Array(20).fill(7), payload: Uint8Array.of(1) };
const PING = { opcode: 0xf1 };

let pki: TestPki;
before(async () => {
  pki = await TestPki.create();
});

/** A store with one signature to come, when the test says so. */
function heldStore() {
  const arrived = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const keystore = storeOf({
    sign: async (_scheme, bytes) => {
      arrived.resolve();
      await released.promise;
      return bytes;
    },
    decrypt: (block) => block,
  });
  return { keystore, arrived: arrived.promise, release: released.resolve };
}

test("a drain answers what is in flight, closes, and lets nobody in", async () => {
  const { keystore, arrived, release } = heldStore();
  const { server, port } = await startTestServer(pki, { keystore });
  const busy = await RawClient.open({ ...pki.client, port });
  const idle = await RawClient.open({ ...pki.client, port });
  busy.send(1, SIGN);
  await arrived;
  const drained = server.drain(20_000);
  assert.equal(await idle.next(), undefined);
  await assert.rejects(RawClient.open({ ...pki.client, port }));
  release();
  assert.equal((await busy.next())?.id, 1);
  assert.equal(await busy.next(), undefined);
  assert.equal(await drained, 0);
  assert.equal(server.connections, 0);
});

test("a drain still reads what is on its way when it begins", async () => {
  const { server, port } = await startTestServer(pki);
  const client = await RawClient.open({ ...pki.client, port });
  await client.ask(1, PING); // now it is past its handshake on both sides
  const drained = server.drain(20_000);
  client.send(2, PING);
  assert.equal((await client.next())?.id, 2);
  assert.equal(await client.next(), undefined);
  assert.equal(await drained, 0);
});

test("a drain whose time runs out says how many requests it cut", async () => {
  const { keystore, arrived } = heldStore();
  const { server, port } = await startTestServer(pki, { keystore });
  const client = await RawClient.open({ ...pki.client, port });
  client.send(1, SIGN);
  client.send(2, SIGN);
  await arrived;
  client.send(3, PING);
  assert.equal((await client.next())?.id, 3);
  assert.equal(await server.drain(50), 2);
  assert.equal(await client.next(), undefined);
});

test("a drain does not wait for a client that never closes its side", async () => {
  const { server, port } = await startTestServer(pki, { limits: { lingerMs: 100 } });
  const client = await RawClient.open({ ...pki.client, port });
  client.stopReading();
  const begun = performance.now();
  assert.equal(await server.drain(20_000), 0);
  assert.ok(performance.now() - begun < 10_000);
  client.socket.destroy();
});
