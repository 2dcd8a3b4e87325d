/** Workers that serve one address together: real threads, on both runtimes. */
import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ConnectionOptions } from "node:tls";
import { after, afterEach, before, describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import type { FileStore } from "../../src/keystore/file_store.ts";
import { DEFAULT_LIMITS } from "../../src/server/limits.ts";
import { RetiredCounters } from "../../src/telemetry/metrics/retired_counters.ts";
import { joinSnapshots } from "../../src/telemetry/metrics/join.ts";
import { digestOf } from "../../src/crypto/verify.ts";
import { RawClient } from "../support/raw_client.ts";
import { makePem, StoreFixture } from "../support/store_fixture.ts";
import { startTestGroup, type TestGroup } from "../support/test_group.ts";
import { TestPki } from "../support/test_server.ts";

const MESSAGE = new TextEncoder().encode("a message");
const PING = { opcode: 0xf1 };
const PONG = 0xf2;
const WORKER = new URL("../../src/server/server_thread.ts", import.meta.url);
const RESPONSE = 0xf0;

let pki: TestPki;
let fixture: StoreFixture;
let store: FileStore;
const pems: Record<string, string> = {};
const running: TestGroup[] = [];
const clients: RawClient[] = [];

before(async () => {
  pki = await TestPki.create();
  fixture = new StoreFixture();
  for (const kind of ["P-256", "RSA 2048"] as const) {
    fixture.dir.write(`${kind}.key`, pems[kind] = makePem(kind));
  }
  store = await fixture.load();
});
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  for (const each of running.splice(0)) await each.stop();
});
after(() => fixture.end());

async function start(options: Parameters<typeof startTestGroup>[2] = {}): Promise<TestGroup> {
  const started = await startTestGroup(pki, store, options);
  running.push(started);
  return started;
}

async function connect(where: ConnectionOptions): Promise<RawClient> {
  const client = await RawClient.open({ ...pki.client, ...where });
  clients.push(client);
  return client;
}

/** Connections until every worker has at least `least`: the system spreads them as it likes. */
async function connectToAll(
  server: TestGroup,
  least = 1,
  where: ConnectionOptions = { port: server.port },
): Promise<RawClient[]> {
  const opened: RawClient[] = [];
  while (opened.length < 200) {
    opened.push(await connect(where));
    assert.equal((await opened.at(-1)!.ask(1, PING))?.opcode, PONG);
    const loads = await server.group.gauges();
    if (loads.every((each) => each.server.established >= least)) return opened;
  }
  throw new Error("the system gives some worker no connections");
}

/** Until so many listen. */
async function untilWorkers(server: TestGroup, count: number): Promise<void> {
  while ((await server.group.gauges()).length < count) await nextTurn();
}

async function assertSigns(client: RawClient): Promise<void> {
  const digest = digestOf("ecdsa-sha256", MESSAGE);
  for (const [kind, opcode] of [["P-256", 0x15], ["RSA 2048", 0x05]] as const) {
    const ski = [...store.keys()].find(({ path }) => path.includes(kind))!.info.ski;
    const reply = await client.ask(7, { opcode, ski, payload: digest });
    assert.equal(reply?.opcode, RESPONSE, `${kind}: error ${reply?.payload}`);
    assert.ok(verify("sha256", MESSAGE, createPublicKey(pems[kind]!), reply.payload!));
  }
}

/** How often this process has the socket open that listens at a path. */
function descriptorsOf(path: string): number {
  const line = readFileSync("/proc/net/unix", "utf8").split("\n")
    .find((each) => each.endsWith(` ${path}`))!;
  const link = `socket:[${line.trim().split(/\s+/)[6]}]`;
  const linkOf = (name: string) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      return undefined; // closed meanwhile
    }
  };
  return readdirSync("/proc/self/fd").filter((name) => linkOf(name) === link).length;
}

describe("workers of one server", () => {
  test("share the connections of a port, and all sign", { timeout: 20_000 }, async () => {
    const server = await start();
    assert.equal(server.group.workers, 2);
    for (const client of await connectToAll(server)) await assertSigns(client);
  });

  test("share the connections of a UNIX socket, and all sign", { timeout: 20_000 }, async () => {
    const path = fixture.dir.at("shared.sock");
    const server = await start({ listen: [{ path }] });
    assert.deepEqual(server.group.addresses, [`unix:${path}`]);
    for (const client of await connectToAll(server, 2, { path })) await assertSigns(client);
    await server.stop();
    assert.ok(!existsSync(path), "its file is removed in the end");
  });

  test("are as many as was asked for", async () => {
    const server = await start({ workers: 3 });
    assert.equal((await server.group.gauges()).length, 3);
  });

  test("hold max_connections together", { timeout: 20_000 }, async () => {
    const server = await start({ limits: { ...DEFAULT_LIMITS, maxConnections: 6 } });
    const opened = await Promise.all(
      Array.from({ length: 6 }, () => connect({ port: server.port })),
    );
    for (const client of opened) assert.equal((await client.ask(1, PING))?.opcode, PONG);
    assert.equal(server.group.connections, 6);
    for (let attempt = 0; attempt < 8; attempt++) {
      await assert.rejects(RawClient.open({ ...pki.client, port: server.port }));
    }
    opened[0]!.socket.destroy();
    await opened[0]!.closed;
    while (server.group.connections === 6) await nextTurn();
    assert.equal((await (await connect({ port: server.port })).ask(1, PING))?.opcode, PONG);
  });

  test("count every handshake and request once", { timeout: 20_000 }, async () => {
    const server = await start();
    const opened = await connectToAll(server);
    const metrics = await joinSnapshots(
      [...(await server.group.snapshots()).values()].map((m) => m!),
    );
    const valueOf = (name: string, label: string) =>
      metrics.find((metric) => metric.name === name)?.values
        .filter(({ labels }) => Object.values(labels).includes(label))
        .reduce((sum, { value }) => sum + value, 0);
    assert.equal(valueOf("keyless_requests", "OpPing"), opened.length);
    assert.equal(valueOf("keyless_handshakes_total", "ok"), opened.length);
    assert.equal(server.observer.base.timers["conn.handshake"].read().count, opened.length);
  });

  test("do not start where another server listens", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as { port: number };
    try {
      await assert.rejects(
        startTestGroup(pki, store, { listen: [{ host: "127.0.0.1", port }] }),
        { code: "LISTEN" },
      );
    } finally {
      other.close();
    }
  });

  test("do not start beside the workers of another server", async () => {
    const { port } = await start();
    await assert.rejects(
      startTestGroup(pki, store, { listen: [{ host: "127.0.0.1", port }] }),
      { code: "LISTEN" },
    );
  });

  test("say why they cannot start", async () => {
    const keys = { ...store.share(), bySki: undefined as never };
    await assert.rejects(startTestGroup(pki, store, { keys }), /a worker cannot start: /);
  });
});

describe("a worker that dies in the middle of its work", () => {
  test("hurts no other connection, and is back within a second", { timeout: 20_000 }, async () => {
    const server = await start();
    const opened = await connectToAll(server, 2);
    const alive = new Set(opened);
    for (const client of opened) client.closed.then(() => alive.delete(client));
    const before = await server.group.gauges();
    const dead = before.find(({ name }) => name === "worker 1")!.server.established;
    for (const client of opened) client.send(2, PING);
    const [worker] = server.workers;
    const killedMs = performance.now();
    worker!.terminate();
    const gone = await Promise.all(
      opened.map((client) => client.next().then((r) => r === undefined)),
    );
    assert.ok(gone.filter((isGone) => isGone).length <= dead);
    await untilWorkers(server, 2);
    assert.ok(performance.now() - killedMs < 1_000, "it was not back");
    assert.equal(alive.size, opened.length - dead, "its own connections are closed, no other");
    for (const client of alive) await assertSigns(client);
    for (const client of await connectToAll(server)) await assertSigns(client);
    assert.equal(server.group.restarts, 1);
    assert.equal(
      server.log.lines.filter(({ fields }) => fields["event"] === "worker_died").length,
      1,
    );
  });

  test("takes its connections out of the limit of all", { timeout: 20_000 }, async () => {
    const server = await start({ workers: 1, limits: { ...DEFAULT_LIMITS, maxConnections: 2 } });
    const first = await Promise.all([1, 2].map(() => connect({ port: server.port })));
    server.workers[0]!.terminate();
    await Promise.all(first.map(({ closed }) => closed));
    await untilWorkers(server, 1);
    assert.equal((await (await connect({ port: server.port })).ask(1, PING))?.opcode, PONG);
  });

  test("leaves what it had counted", { timeout: 20_000 }, async () => {
    const server = await start();
    const opened = await connectToAll(server);
    const retired = new RetiredCounters();
    const pings = async () => {
      const metrics = await joinSnapshots(await retired.parts(await server.group.snapshots()));
      return metrics.find(({ name }) => name === "keyless_requests")!.values
        .find(({ labels }) => labels["opcode"] === "OpPing")!.value;
    };
    assert.equal(await pings(), opened.length);
    const [worker] = server.workers;
    await worker!.terminate();
    await untilWorkers(server, 2);
    assert.equal(await pings(), opened.length);
  });

  test(
    "leaves no descriptor of a socket if the next cannot listen",
    { timeout: 20_000 },
    async () => {
      const path = fixture.dir.at("left.sock");
      let isBroken = false;
      const started: Worker[] = [];
      await start({
        workers: 1,
        listen: [{ host: "127.0.0.1", port: 0 }, { path }],
        startWorker(workerData) {
          const [port, socket] = workerData.listen;
          const listen = isBroken ? [{ ...port, host: "203.0.113.1" }, socket] : workerData.listen;
          const worker = new Worker(WORKER, { workerData: { ...workerData, listen } });
          started.push(worker);
          return worker;
        },
      });
      assert.equal(descriptorsOf(path), 2, "the main thread's and the worker's");
      isBroken = true;
      await started[0]!.terminate();
      while (started.length < 3) await nextTurn();
      assert.equal(descriptorsOf(path), 1, "the main thread's");
    },
  );

  test("leaves nothing waiting on a UNIX socket", { timeout: 20_000 }, async () => {
    const path = fixture.dir.at("waiting.sock");
    const server = await start({ workers: 1, listen: [{ path }] });
    await server.workers[0]!.terminate();
    await assertSigns(await connect({ path })); // it waits in the socket for the next worker
  });
});

describe("a drain of all workers", () => {
  test(
    "answers what is in flight, and keeps what they had counted",
    { timeout: 20_000 },
    async () => {
      const server = await start();
      const opened = await connectToAll(server);
      const ski = [...store.keys()].find(({ path }) => path.includes("RSA"))!.info.ski;
      const payload = digestOf("rsa-sha256", MESSAGE);
      for (const client of opened) client.send(3, { opcode: 0x05, ski, payload });
      const replies = Promise.all(opened.map((client) => client.next()));
      assert.equal(await server.group.drain(5_000), 0);
      for (const reply of await replies) assert.equal(reply?.operation.opcode, RESPONSE);
      const metrics = await joinSnapshots(
        [...(await server.group.snapshots()).values()].map((m) => m!),
      );
      const signed = metrics.find(({ name }) => name === "keyless_requests")!.values
        .find(({ labels }) => labels["opcode"] === "OpRSASignSHA256")!.value;
      assert.equal(signed, opened.length);
      assert.equal(server.group.workers, 0);
    },
  );

  test("counts the connections of a worker that hangs as cut", { timeout: 20_000 }, async () => {
    const file = new URL("../support/hanging_server_thread.ts", import.meta.url);
    const threads: Worker[] = [];
    const server = await start({
      workers: 1,
      startWorker(workerData) {
        threads.push(new Worker(file, { workerData }));
        return threads.at(-1)!;
      },
    });
    const client = await connect({ port: server.port });
    assert.equal((await client.ask(1, PING))?.opcode, PONG);
    threads[0]!.postMessage({ hang: true });
    assert.equal(await server.group.drain(100), 1);
    const silent = server.log.lines.find(({ fields }) => fields["event"] === "worker_silent");
    assert.equal(silent?.fields["worker"], "worker 1");
  });
});
