/** A connection over a socket that does what no real one can be made to do at will. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import type { TLSSocket } from "node:tls";
import { draftPacket, encodePacket } from "../../src/protocol/packet.ts";
import { Connection } from "../../src/server/connection.ts";
import { DEFAULT_LIMITS, type ServerLimits } from "../../src/server/limits.ts";
import { HandshakePace } from "../../src/server/handshake_pace.ts";
import { Outbox } from "../../src/server/outbox.ts";
import { ownServerCounters, SERVER_COUNTERS } from "../../src/server/server_counters.ts";
import { sharedCounterMemory, SharedCounters } from "../../src/threads/shared_counters.ts";
import { ServerMetrics } from "../../src/telemetry/server_metrics.ts";
import { ServerLog } from "../../src/telemetry/server_log.ts";
import type { Keystore } from "../../src/keystore/keystore.ts";
import type { Tracer } from "../../src/telemetry/tracing/tracer.ts";
import { MemoryLog } from "../support/memory_log.ts";
import { EMPTY_STORE } from "../support/test_server.ts";

const PING = (payloadBytes: number) =>
  encodePacket(1, { opcode: 0xf1, payload: new Uint8Array(payloadBytes) });

/** Goes on delivering though it is paused, and takes written bytes only when the test says so. */
class StubbornSocket extends EventEmitter {
  readonly writes: { readonly bytes: number; readonly taken: () => void }[] = [];
  isPaused = false;
  isEnded = false;

  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  write(bytes: Uint8Array, taken: () => void): void {
    this.writes.push({ bytes: bytes.length, taken });
  }
  end(): void {
    this.isEnded = true;
  }
  resetAndDestroy(): void {
    this.destroy();
  }
  destroy(): void {
    this.emit("close");
    this.removeAllListeners();
  }
}

function connect(
  limits: Partial<ServerLimits> = {},
  counters = ownServerCounters(),
  other: { tracer?: Tracer; pace?: HandshakePace; keystore?: Keystore } = {},
) {
  const socket = new StubbornSocket();
  const log = new MemoryLog();
  const connection = new Connection(socket as unknown as TLSSocket, {
    client: { name: "client", address: "192.0.2.1:1" },
    keystore: other.keystore ?? EMPTY_STORE,
    limits: { ...DEFAULT_LIMITS, ...limits },
    idleMs: 30_000,
    counters,
    pace: other.pace ?? new HandshakePace(undefined),
    log: new ServerLog(log),
    metrics: new ServerMetrics(),
    tracer: other.tracer,
  }, () => {});
  return { socket, log, connection };
}

const written = (socket: StubbornSocket) =>
  socket.writes.reduce((sum, { bytes }) => sum + bytes, 0);

test("more bytes than may wait to be read end the connection, and the log says so", () => {
  const { socket, log } = connect({ maxInFlight: 1 });
  socket.emit("data", PING(1));
  assert.equal(socket.isPaused, true);
  for (let count = 0; count < 16; count++) socket.emit("data", PING(65_000));
  assert.equal(log.lines.length, 0);
  socket.emit("data", PING(65_000));
  assert.match(String(log.lines[0]?.fields["reason"]), /bytes wait to be decoded; 1048576 may/);
});

test("a client that takes nothing is read no further than its own bound", () => {
  const { socket } = connect({ maxUnflushedBytes: 100_000 });
  for (let count = 0; count < 10; count++) socket.emit("data", PING(60_000));
  assert.equal(socket.isPaused, true);
  assert.ok(written(socket) < 200_000, `${written(socket)} bytes`);
  socket.destroy();
});

test("where all clients of all workers take nothing, each has one batch and no more", () => {
  const memory = sharedCounterMemory(SERVER_COUNTERS.length, 5);
  const limits = { maxUnflushedBytesInAll: 50_000 };
  const rows = [0, 1, 2, 3, 4].map((row) => new SharedCounters(SERVER_COUNTERS, memory, row));
  const connections = rows.map((counters) => connect(limits, counters));
  for (const { socket } of connections) {
    for (let count = 0; count < 3; count++) socket.emit("data", PING(60_000));
    assert.equal(socket.writes.length, 1);
    assert.equal(socket.isPaused, true);
  }
  connections[0]?.socket.writes[0]?.taken();
  assert.equal(connections[0]?.socket.writes.length, 2, "who takes his replies gets on");
  for (const { socket } of connections) socket.destroy();
  assert.equal(rows[0]?.sum("unsentKib"), 0, "what the closed ones held is given back");
});

test("where another worker holds too many replies, a connection goes on with one at a time", () => {
  const memory = sharedCounterMemory(SERVER_COUNTERS.length, 2);
  const [own, other] = [0, 1].map((row) => new SharedCounters(SERVER_COUNTERS, memory, row));
  other!.set("unsentKib", 100);
  const { socket, connection } = connect({ maxUnflushedBytesInAll: 102_400 }, own);
  socket.emit("data", Buffer.concat([PING(1), PING(1), PING(1)]));
  for (const count of [1, 2, 3]) {
    assert.equal(socket.writes.length, count);
    const { bytes } = socket.writes.at(-1)!;
    assert.equal(connection.load().unsentBytes, bytes);
    assert.equal(own!.own("unsentKib"), Math.ceil(bytes / 1_024));
    socket.writes.at(-1)!.taken();
  }
  socket.destroy();
});

test("a client that takes its replies slowly is not cut, one that takes none is", async () => {
  const { socket, log } = connect({ writeStallMs: 200 });
  socket.emit("data", Buffer.concat(Array.from({ length: 64 }, () => PING(1))));
  assert.equal(socket.writes.length, 4, "64 KiB leave in pieces of 16");
  const begun = performance.now();
  for (const { taken } of socket.writes.slice(0, 3)) {
    await new Promise((resolve) => setTimeout(resolve, 120));
    taken();
  }
  assert.deepEqual(log.lines, []);
  await log.event("connection_failed");
  assert.ok(performance.now() - begun >= 3 * 120 + 190);
});

test("whole requests that wait are read as soon as replies are taken, without another chunk", () => {
  const { socket, connection } = connect({ maxInFlight: 2 });
  const packets = Array.from({ length: 5 }, () => PING(1));
  socket.emit("data", Buffer.concat(packets));
  assert.equal(connection.inFlight, 2);
  for (let at = 0; at < 3; at++) socket.writes[at]?.taken();
  assert.equal(written(socket), 5 * 1_024);
  assert.equal(connection.inFlight, 0);
  assert.equal(socket.isPaused, false);
  socket.destroy();
});

test("a client that ends while requests wait gets every answer before the goodbye", () => {
  const { socket } = connect({ maxInFlight: 1 });
  socket.emit("data", Buffer.concat([PING(1), PING(1), PING(1)]));
  socket.emit("end");
  for (let at = 0; at < 3; at++) {
    assert.equal(socket.isEnded, false);
    socket.writes[at]?.taken();
  }
  assert.equal(socket.writes.length, 3);
  assert.equal(socket.isEnded, true);
  socket.destroy();
});

test("the span of each request ends once: when its reply is taken, or the connection is lost", () => {
  const ends: string[] = [];
  const tracer: Tracer = {
    start: ({ startedMs }) => ({
      carrier: new Uint8Array(0),
      answered: ({ text }) => ends.push(text),
      end: (_times, writtenMs) =>
        ends.push(writtenMs === undefined ? "lost" : writtenMs >= startedMs ? "written" : "before"),
    }),
    stop: () => Promise.resolve(),
  };
  const { socket } = connect({}, ownServerCounters(), { tracer });
  socket.emit("data", PING(1));
  socket.emit("data", PING(1));
  assert.deepEqual(ends, ["no error", "no error"]);
  socket.writes[0]?.taken();
  assert.deepEqual(ends.slice(2), ["written"]);
  socket.destroy();
  assert.deepEqual(ends.slice(2), ["written", "lost"]);
});

test("handshakes wait for requests whose signature takes longer than a slice", () => {
  const pace = new HandshakePace(undefined);
  const slow: Keystore = {
    find() {
      for (const untilMs = performance.now() + 30; performance.now() < untilMs;);
      for (let count = 0; count < 30; count++) pace.begin(); // as many as may be made up for
      return undefined;
    },
  };
  const { socket } = connect({}, ownServerCounters(), { pace, keystore: slow });
  const payload = new Uint8Array(32);
  const ski = new Uint8Array(20);
  socket.emit("data", encodePacket(1, { opcode: 0x15, ski, payload }));
  assert.ok(pace.waitMs() > 0, "nobody seems to be served");
  socket.destroy();
});

test("replies that nobody takes are counted beyond what 32 bits hold, and given back", () => {
  const memory = sharedCounterMemory(SERVER_COUNTERS.length, 2);
  const [own, other] = [0, 1].map((row) => new SharedCounters(SERVER_COUNTERS, memory, row));
  const outbox = new Outbox(new StubbornSocket() as unknown as TLSSocket, own!, () => {});
  const reply = { ...draftPacket(1, { opcode: 0xf2 }), lengthBytes: 65_536 };
  for (let count = 0; count < 2 ** 31 / reply.lengthBytes; count++) outbox.add(reply, count);
  assert.equal(other!.sum("unsentKib"), 2 ** 31 / 1_024);
  const { socket } = connect({}, other);
  socket.emit("data", Buffer.concat([PING(1), PING(1)]));
  assert.equal(socket.writes.length, 1, "with so much in all, one at a time");
  socket.destroy();
  outbox.add({ ...reply, lengthBytes: 1 }, 0);
  outbox.discard();
  assert.equal(other!.sum("unsentKib"), 0);
});
