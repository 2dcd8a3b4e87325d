import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { FileStore } from "../../src/keystore/file_store.ts";
import { SharedStore } from "../../src/keystore/shared_store.ts";
import { WIRE_ERRORS } from "../../src/protocol/errors.ts";
import { OP_ERROR, OP_RESPONSE } from "../../src/protocol/opcodes.ts";
import { ServerLog } from "../../src/telemetry/server_log.ts";
import { createSigningMemory } from "../../src/threads/signing_memory.ts";
import { SigningQueue } from "../../src/threads/signing_queue.ts";
import { SigningThreads } from "../../src/threads/signing_threads.ts";
import { MemoryLog } from "../support/memory_log.ts";
import { scrape } from "../support/metrics.ts";
import { keyOf } from "../support/openssl.ts";
import { RawClient } from "../support/raw_client.ts";
import { StoreFixture } from "../support/store_fixture.ts";
import { startTestServer, TestPki } from "../support/test_server.ts";

const RSA_SHA256 = 0x05;
const ECDSA_SHA256 = 0x15;
const OP_SEAL = 0x21;
const DIGEST = new Uint8Array(32).fill(1);
/** Between P-256 and RSA 3072, whatever else the machine does. */
const LIMIT_MS = 0.5;

describe("a server with signing threads", () => {
  const fixture = new StoreFixture();
  let pki: TestPki;
  let store: FileStore;
  let slow: { readonly opcode: number; readonly payload: Uint8Array; readonly ski: Uint8Array };
  let fast: typeof slow;
  before(async () => { // openssl may take long to find the key
    pki = await TestPki.create();
    fixture.dir.write("rsa.key", keyOf("RSA 3072"));
    fixture.dir.write("p256.key", keyOf("P-256"));
    store = await fixture.load();
    const skiOf = (type: string) =>
      [...store.keys()].find(({ info }) => info.type === type)!.info.ski;
    slow = { opcode: RSA_SHA256, payload: DIGEST, ski: skiOf("rsa") };
    fast = { opcode: ECDSA_SHA256, payload: DIGEST, ski: skiOf("ec") };
  }, { timeout: 60_000 });
  after(() => fixture.end());

  /** A server whose slow keys have gone to threads, or to a queue that has none. */
  async function start(options: { signTimeoutMs?: number; requests?: number; count?: number }) {
    const { signTimeoutMs = 10_000, requests = 1_000, count = 2 } = options;
    const memory = createSigningMemory(1, count);
    const queue = new SigningQueue(memory, 0, { requests, bytes: 1e9 });
    const threads = new SigningThreads(memory);
    const place = { elsewhere: queue, slowMs: LIMIT_MS };
    const keystore = new SharedStore(fixture.engine, store.share(), place);
    const log = new MemoryLog();
    const serverLog = new ServerLog(log);
    const running = await startTestServer(pki, {
      keystore,
      limits: { signTimeoutMs },
      log: serverLog,
    });
    const stop = async () => {
      await running.server.drain(0);
      queue.close();
      await threads.stop();
    };
    const connect = () => RawClient.open({ ...pki.client, port: running.port });
    return { ...running, log, serverLog, queue, connect, stop };
  }

  test("answers ECDSA before most RSA that was asked for earlier on the same connection", async () => {
    const { connect, stop } = await start({});
    const client = await connect();
    for (let id = 0; id < 50; id++) client.send(id, slow);
    client.send(99, fast);
    const ids: (number | undefined)[] = [];
    while (ids.length < 51) {
      const reply = await client.next();
      assert.equal(reply?.operation.opcode, OP_RESPONSE);
      ids.push(reply?.id);
    }
    assert.ok(ids.indexOf(99) < 25, `${ids.indexOf(99)} of 50 came before it`);
    await stop();
  });

  test("answers one RSA request before most of another connection's fifty", async () => {
    const { connect, stop, queue } = await start({});
    const [greedy, modest] = await Promise.all([connect(), connect()]);
    for (let id = 0; id < 50; id++) greedy.send(id, slow);
    await greedy.next();
    assert.equal((await modest.ask(1, slow))?.opcode, OP_RESPONSE);
    assert.ok(queue.load().waiting >= 25, `${queue.load().waiting} of 50 are left`);
    await stop();
  });

  test("drains: what waits for a thread is answered first", async () => {
    const { connect, stop, server } = await start({});
    const client = await connect();
    for (let id = 0; id < 50; id++) client.send(id, slow);
    await client.next();
    const drained = server.drain(20_000);
    for (let answered = 1; answered < 50; answered++) {
      assert.equal((await client.next())?.operation.opcode, OP_RESPONSE);
    }
    assert.equal(await client.next(), undefined);
    assert.equal(await drained, 0);
    await stop();
  });

  test("signs nothing more for a connection that is gone, and tells nobody that it did not", async () => {
    const { connect, stop, queue, log, snapshot } = await start({ signTimeoutMs: 3_600_000 });
    const [greedy, modest] = await Promise.all([connect(), connect()]);
    for (let id = 0; id < 500; id++) greedy.send(id, slow);
    await greedy.next();
    greedy.socket.destroy();
    await greedy.closed;
    assert.equal((await modest.ask(1, slow))?.opcode, OP_RESPONSE);
    while (queue.load().waiting > 0) await modest.ask(2, slow);
    assert.ok(queue.load().shed.closed >= 300, `${queue.load().shed.closed} were given up`);
    await stop();
    assert.deepEqual(log.lines.filter(({ fields }) => fields["event"] === "request_failed"), []);
    const failed = (await scrape(snapshot())).filter(({ name, labels }) =>
      name === "keyless_request_exec_duration_per_opcode_count" &&
      labels["error"] === WIRE_ERRORS.INTERNAL.text
    );
    assert.deepEqual(failed, []);
  });

  test("answers error 8 where a request waits longer than sign_timeout", async () => {
    const { connect, stop, queue, log } = await start({ signTimeoutMs: 100, count: 0 });
    const sentMs = performance.now();
    const reply = await (await connect()).ask(1, slow);
    assert.ok(performance.now() - sentMs < 1_000);
    assert.equal(reply?.opcode, OP_ERROR);
    assert.deepEqual(reply?.payload, Uint8Array.of(WIRE_ERRORS.INTERNAL.code));
    assert.equal(queue.load().shed.deadline, 1);
    const { fields } = await log.event("request_failed");
    assert.equal(fields["shed"], "deadline");
    assert.match(String(fields["reason"]), /longer than sign_timeout allows/);
    await stop();
  });

  test("answers error 8 at once where the queue is full, and serves fast keys still", async () => {
    const { connect, stop, log } = await start({ requests: 2, count: 0 });
    const client = await connect();
    client.send(1, slow);
    assert.deepEqual((await client.ask(2, slow))?.payload, Uint8Array.of(8));
    assert.equal((await client.ask(3, fast))?.opcode, OP_RESPONSE);
    const { fields } = await log.event("request_failed");
    assert.equal(fields["shed"], "full");
    assert.match(String(fields["reason"]), /too many requests wait for a signing thread/);
    await stop();
  });

  test("sums up the lines of what it sheds, apart from other errors with the same byte", async () => {
    const { connect, stop, log, serverLog } = await start({ requests: 2, count: 0 });
    const client = await connect();
    client.send(1, slow);
    for (let id = 2; id < 30; id++) await client.ask(id, slow);
    for (let id = 30; id < 60; id++) await client.ask(id, { opcode: OP_SEAL });
    serverLog.flush();
    const sums = log.lines.filter(({ fields }) => fields["count"] !== undefined);
    assert.deepEqual(sums.map(({ fields }) => [fields["reason"], fields["count"]]), [
      ["internal error: shed (full)", 18],
      ["internal error", 20],
    ]);
    await stop();
  });
});
