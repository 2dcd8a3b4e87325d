import assert from "node:assert/strict";
import { connect as connectTcp, type Socket } from "node:net";
import process from "node:process";
import { before, test } from "node:test";
import { HeldStore } from "../support/held_store.ts";
import { RawClient } from "../support/raw_client.ts";
import { startTestServer, storeOf, TestPki } from "../support/test_server.ts";

const SKI = new Uint8Array(20).fill(7);
const MESSAGE = Uint8Array.of(1, 2, 3);
const SIGN = { opcode: 0x18, ski: SKI, payload: MESSAGE };
const PING = { opcode: 0xf1, payload: MESSAGE };

let pki: TestPki;
before(async () => {
  pki = await TestPki.create();
});

test("a fast request overtakes a slow one, and each answer bears its request's id", async () => {
  const held = new HeldStore();
  const { server, port } = await startTestServer(pki, { keystore: held.keystore });
  const client = await RawClient.open({ ...pki.client, port });
  client.send(11, SIGN);
  client.send(12, SIGN);
  client.send(13, PING);
  assert.equal((await client.next())?.id, 13);
  await held.reached(2);
  held.release[1]!();
  assert.equal((await client.next())?.id, 12);
  held.release[0]!();
  assert.equal((await client.next())?.id, 11);
  client.socket.destroy();
  await server.drain(0);
});

test("1,024 requests of a connection are carried out at once, the 1,025th waits unread", async () => {
  const held = new HeldStore();
  const { server, port } = await startTestServer(pki, { keystore: held.keystore });
  const client = await RawClient.open({ ...pki.client, port });
  for (let id = 0; id < 1_030; id++) client.send(id, SIGN);
  await held.reached(1_024);
  const other = await RawClient.open({ ...pki.client, port });
  await other.ask(1, PING); // the server has had every chance to read on
  assert.equal(held.release.length, 1_024);
  held.release[0]!();
  assert.equal((await client.next())?.id, 0);
  await held.reached(1_025);
  await other.ask(2, PING);
  assert.equal(held.release.length, 1_025);
  for (let at = 1; at < 1_030; at++) {
    await held.reached(at + 1);
    held.release[at]!();
    assert.equal((await client.next())?.id, at);
  }
  client.socket.destroy();
  other.socket.destroy();
  await server.drain(0);
});

test("a client that takes no replies is held back, and cut after its time", async () => {
  const limits = { writeStallMs: 1_000 };
  const { server, port, log } = await startTestServer(pki, { limits });
  const client = await RawClient.open({ ...pki.client, port });
  client.stopReading();
  const payload = new Uint8Array(60_000);
  const before = process.memoryUsage().rss;
  let sentBytes = 0;
  let mostMemory = before;
  const cut = log.event("connection_failed");
  let isCut = false;
  cut.then(() => isCut = true);
  for (let id = 0; !isCut && sentBytes < FLOOD_BYTES; id++) {
    sentBytes += payload.length;
    client.send(id, { opcode: 0xf1, payload });
    mostMemory = Math.max(mostMemory, process.memoryUsage().rss);
    if (!client.socket.writableNeedDrain) continue;
    await Promise.race([new Promise((resolve) => client.socket.once("drain", resolve)), cut]);
  }
  assert.match(String((await cut).fields["reason"]), /it took next to none of its replies for 1 s/);
  assert.ok(sentBytes < FLOOD_BYTES, `${sentBytes} bytes were taken in`);
  assert.ok(mostMemory - before < FLOOD_BYTES / 2, `${mostMemory - before} bytes were held`);
  client.socket.destroy();
  await server.drain(0);
});

test("a client that has half-closed still gets its answers", async () => {
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    const held = new HeldStore();
    const { server, port } = await startTestServer(pki, { keystore: held.keystore });
    const client = await RawClient.open(
      {
        ...pki.client,
        port,
        maxVersion,
        allowHalfOpen: true,
      } as Parameters<typeof RawClient.open>[0],
    );
    client.send(1, SIGN);
    client.send(2, SIGN);
    client.socket.end();
    await held.reached(2);
    held.release[1]!();
    assert.equal((await client.next())?.id, 2, maxVersion);
    held.release[0]!();
    assert.equal((await client.next())?.id, 1, maxVersion);
    assert.equal(await client.next(), undefined);
    await server.drain(0);
  }
});

test("an idle connection is closed after its time, without a line in the log", async () => {
  const { server, port, log } = await startTestServer(pki, { limits: { idleMs: 300 } });
  const client = await RawClient.open({ ...pki.client, port });
  await client.ask(1, PING);
  const begun = performance.now();
  assert.equal(await client.next(), undefined);
  const lasted = performance.now() - begun;
  assert.ok(lasted >= 250, `it lasted ${lasted} ms`);
  assert.deepEqual(log.lines, []);
  await server.drain(0);
});

test("a request that drips in byte by byte does not keep a connection open", async () => {
  const { server, port } = await startTestServer(pki, { limits: { idleMs: 300 } });
  const client = await RawClient.open({ ...pki.client, port });
  client.socket.write(Uint8Array.of(1));
  const drip = setInterval(() => client.socket.write(Uint8Array.of(0)), 100);
  assert.equal(await client.next(), undefined);
  clearInterval(drip);
  await server.drain(0);
});

test("a connection that waits for a slow answer is not idle", async () => {
  const held = new HeldStore();
  const options = { keystore: held.keystore, limits: { idleMs: 100 } };
  const { server, port } = await startTestServer(pki, options);
  const client = await RawClient.open({ ...pki.client, port });
  client.send(1, SIGN);
  await held.reached(1);
  const idle = await RawClient.open({ ...pki.client, port });
  await idle.closed; // the other one's time has passed as well
  held.release[0]!();
  assert.equal((await client.next())?.id, 1);
  await server.drain(0);
});

test("a peer that does not get on with its handshake is cut at the deadline", async () => {
  const { server, port, log } = await startTestServer(pki, { limits: { handshakeMs: 300 } });
  const socket = connectTcp(port, "127.0.0.1");
  await new Promise((resolve) => socket.on("close", resolve).on("error", () => {}).resume());
  const line = await log.event("refused");
  assert.equal(line.fields["reason"], "its handshake took too long");
  assert.equal(server.connections, 0);
  await server.drain(0);
});

test("a peer that leaves in its handshake is forgotten at once, and the log says so", async () => {
  const { server, port, log } = await startTestServer(pki);
  for (const leave of ["end", "destroy", "resetAndDestroy"] as const) {
    const socket = await openSilent(port);
    while (server.connections === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    socket[leave]();
    while (server.connections > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.match(String((await log.event("refused")).fields["reason"]), /left in the handshake/);
  await server.drain(0);
});

test("connections up to max_connections are served, and one more is not", async () => {
  const { server, port, log } = await startTestServer(pki, { limits: { maxConnections: 2 } });
  const first = await openProved(port);
  const second = await openProved(port);
  await assert.rejects(RawClient.open({ ...pki.client, port }));
  assert.match(String((await log.event("refused")).fields["reason"]), /max_connections/);
  assert.equal((await second.ask(2, PING))?.opcode, 0xf2);
  first.socket.destroy();
  await first.closed;
  while (server.connections > 1) await new Promise((resolve) => setImmediate(resolve));
  const third = await openProved(port);
  for (const client of [second, third]) client.socket.destroy();
  await server.drain(0);
  assert.equal(log.lines.length, 1, "one line for one refusal");
});

test("strangers who are silent count, but give way to a client who proves who he is", async () => {
  const { server, port, log } = await startTestServer(pki, { limits: { maxConnections: 3 } });
  const silent = await Promise.all(Array.from({ length: 3 }, () => openSilent(port)));
  while (server.connections < 3) await new Promise((resolve) => setImmediate(resolve));
  const cut = Promise.race(silent.map((each) => new Promise((gone) => each.once("close", gone))));
  const client = await openProved(port);
  await cut;
  assert.equal(server.connections, 3);
  assert.match(String((await log.event("refused")).fields["reason"]), /cut for a newcomer/);
  for (const socket of [...silent, client.socket]) socket.destroy();
  await server.drain(0);
  const reasons = log.lines.map(({ fields }) => String(fields["reason"]));
  assert.equal(reasons.filter((reason) => /newcomer/.test(reason)).length, 1, String(reasons));
});

async function openProved(port: number): Promise<RawClient> {
  const client = await RawClient.open({ ...pki.client, port });
  assert.equal((await client.ask(1, PING))?.opcode, 0xf2);
  return client;
}

async function openSilent(port: number): Promise<Socket> {
  const socket = connectTcp(port, "127.0.0.1").on("error", () => {}).resume();
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

test("a client with slow requests does not keep the others waiting until all are done", async () => {
  const slowly = (bytes: Uint8Array) => {
    const until = performance.now() + 2;
    while (performance.now() < until);
    return bytes;
  };
  const keystore = storeOf({ sign: (_scheme, bytes) => slowly(bytes), decrypt: slowly });
  const { server, port } = await startTestServer(pki, { keystore });
  const greedy = await openProved(port);
  const modest = await openProved(port);
  const count = 500;
  for (let id = 0; id < count; id++) greedy.send(id, SIGN);
  await greedy.next();
  let greedyAnswers = 1;
  const all = (async () => {
    while (greedyAnswers < count && await greedy.next() !== undefined) greedyAnswers += 1;
  })();
  for (let id = 0; id < 10; id++) assert.equal((await modest.ask(id, PING))?.opcode, 0xf2);
  assert.ok(greedyAnswers < count / 2, `${greedyAnswers} slow requests went before ten pings`);
  await all;
  assert.equal(greedyAnswers, count);
  for (const client of [greedy, modest]) client.socket.destroy();
  await server.drain(0);
});

test("a result that no packet can carry is an internal error, and the server lives on", async () => {
  const huge = new Uint8Array(70_000);
  const keystore = storeOf({ sign: () => huge, decrypt: () => Promise.resolve(huge) });
  const { server, port } = await startTestServer(pki, { keystore });
  const client = await openProved(port);
  for (const opcode of [0x18, 0x01]) {
    const answer = await client.ask(2, { ...SIGN, opcode });
    assert.equal(answer?.opcode, 0xff);
    assert.deepEqual(answer?.payload, Uint8Array.of(8));
  }
  assert.equal((await client.ask(3, PING))?.opcode, 0xf2);
  client.socket.destroy();
  await server.drain(0);
});

test("where all replies together are too many, each connection still gets on", async () => {
  const limits = { maxUnflushedBytesInAll: 1 };
  const { server, port } = await startTestServer(pki, { limits });
  const clients = await Promise.all([openProved(port), openProved(port)]);
  for (const client of clients) {
    for (let id = 0; id < 50; id++) client.send(id, PING);
  }
  for (const client of clients) {
    for (let id = 0; id < 50; id++) assert.equal((await client.next())?.id, id);
    client.socket.destroy();
  }
  await server.drain(0);
});

test("a client whose slots are taken is held back, however much it sends", async () => {
  const held = new HeldStore();
  const options = { keystore: held.keystore, limits: { maxInFlight: 1 } };
  const { server, port } = await startTestServer(pki, options);
  const client = await RawClient.open({ ...pki.client, port });
  client.send(1, SIGN);
  await held.reached(1);
  const chunk = new Uint8Array(1_048_576);
  let sentBytes = 0;
  do {
    client.socket.write(chunk);
    sentBytes += chunk.length;
  } while (sentBytes < FLOOD_BYTES && await drainsWithin(client, 500));
  assert.ok(sentBytes < FLOOD_BYTES / 4, `${sentBytes} bytes were taken in`);
  held.release[0]!();
  assert.equal((await client.next())?.id, 1);
  client.socket.destroy();
  await server.drain(0);
});

function drainsWithin(client: RawClient, timeoutMs: number): Promise<boolean> {
  if (!client.socket.writableNeedDrain) return Promise.resolve(true);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), timeoutMs);
    client.socket.once("drain", () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

const FLOOD_BYTES = 256 * 1_048_576;
