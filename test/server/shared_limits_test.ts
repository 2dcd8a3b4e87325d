/** Limits that hold over servers which share their counters, as workers do. */
import assert from "node:assert/strict";
import { connect as connectTcp, type Socket } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import type { Server } from "../../src/server/server.ts";
import { SERVER_COUNTERS, type ServerCounters } from "../../src/server/server_counters.ts";
import { sharedCounterMemory, SharedCounters } from "../../src/threads/shared_counters.ts";
import type { MemoryLog } from "../support/memory_log.ts";
import { RawClient } from "../support/raw_client.ts";
import { startTestServer, TestPki } from "../support/test_server.ts";

const PING = { opcode: 0xf1 };

interface SharingServer {
  readonly server: Server;
  readonly port: number;
  readonly log: MemoryLog;
  readonly counters: ServerCounters;
  /** How often it asked for room in the others. */
  asked: number;
}

let pki: TestPki;
let servers: SharingServer[] = [];
const open: { destroy(): void }[] = [];

before(async () => {
  pki = await TestPki.create();
});
afterEach(async () => {
  for (const each of open.splice(0)) each.destroy();
  await Promise.all(servers.map(({ server }) => server.drain(0)));
});
after(() => servers = []);

/** Servers that share a limit; one that asks for room gets it from the others, as a worker would. */
async function startServers(count: number, maxConnections: number): Promise<void> {
  const memory = sharedCounterMemory(SERVER_COUNTERS.length, count);
  servers = [];
  for (let row = 0; row < count; row++) {
    const counters = new SharedCounters(SERVER_COUNTERS, memory, row);
    const limits = { maxConnections };
    const cutElsewhere = () => {
      sharing.asked += 1;
      const others = servers.filter((each) => each !== sharing);
      queueMicrotask(() => others.find(({ server }) => server.cutOldestHandshake()));
    };
    const started = await startTestServer(pki, { limits, counters, cutElsewhere });
    const sharing: SharingServer = { ...started, counters, asked: 0 };
    servers.push(sharing);
  }
}

async function openProved(port: number): Promise<RawClient> {
  const client = await RawClient.open({ ...pki.client, port });
  open.push(client.socket);
  assert.equal((await client.ask(1, PING))?.opcode, 0xf2);
  return client;
}

async function openSilent({ server, port }: SharingServer): Promise<Socket> {
  const before = server.gauges().handshaking;
  const socket = connectTcp(port, "127.0.0.1").on("error", () => {}).resume();
  open.push(socket);
  while (server.gauges().handshaking === before) await nextTurn();
  return socket;
}

const nextTurn = () => new Promise((resolve) => setTimeout(resolve, 1));

describe("servers that share their counters", () => {
  test("serve max_connections together, and not one more, whichever it comes to", async () => {
    await startServers(2, 4);
    const [first, second] = servers;
    for (const { port } of [first!, second!, second!, second!]) await openProved(port);
    for (const { port, log } of servers) {
      await assert.rejects(RawClient.open({ ...pki.client, port }));
      assert.match(String((await log.event("refused")).fields["reason"]), /max_connections/);
    }
    assert.equal(first!.asked + second!.asked, 0, "nobody had a handshake to give way");
    assert.equal(first!.counters.sum("established"), 4);

    open.pop()!.destroy(); // one of the second's
    while (first!.counters.sum("established") > 3) await nextTurn();
    await openProved(first!.port);
    assert.deepEqual(servers.map(({ server }) => server.connections), [2, 2]);
  });

  test("tell of themselves alone in their gauges, and of the limit of all", async () => {
    await startServers(2, 4);
    const [first, second] = servers;
    await openProved(first!.port);
    await openSilent(second!);
    const [one, two] = servers.map(({ server }) => server.gauges());
    assert.deepEqual([one!.established, one!.handshaking, one!.maxConnections], [1, 0, 4]);
    assert.deepEqual([two!.established, two!.handshaking, two!.maxConnections], [0, 1, 4]);
    const { counters } = first!;
    assert.deepEqual([counters.sum("established"), counters.sum("handshaking")], [1, 1]);
  });

  test("let a newcomer take the place of a stranger that another holds", async () => {
    await startServers(2, 3);
    const [first, second] = servers;
    await openProved(first!.port);
    const silent = [await openSilent(second!), await openSilent(second!)];
    const cut = new Promise((resolve) => silent[0]!.once("close", resolve));
    await openProved(first!.port);
    await cut;
    assert.equal(first!.asked, 1);
    assert.deepEqual(servers.map(({ server }) => server.connections), [2, 1]);
    const refused = await second!.log.event("refused");
    assert.match(String(refused.fields["reason"]), /cut for a newcomer/);
    assert.equal(first!.log.lines.length, 0);
  });

  test("cut a handshake of their own first", async () => {
    await startServers(2, 2);
    const [first, second] = servers;
    const own = await openSilent(first!);
    await openSilent(second!);
    const cut = new Promise((resolve) => own.once("close", resolve));
    await openProved(first!.port);
    await cut;
    assert.equal(first!.asked, 0);
    assert.deepEqual(servers.map(({ server }) => server.connections), [1, 1]);
  });

  test("have room again for what a worker held that died", async () => {
    await startServers(2, 2);
    const [first, second] = servers;
    second!.counters.set("established", 2); // of connections that went with it
    await assert.rejects(RawClient.open({ ...pki.client, port: first!.port }));
    second!.counters.clear();
    await openProved(first!.port);
  });
});
