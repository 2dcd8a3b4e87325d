/** What the metrics page says of each metric, on a running server. */
import assert from "node:assert/strict";
import { connect as connectTcp } from "node:net";
import { before, describe, test } from "node:test";
import type { ConnectionOptions } from "node:tls";
import { Authority } from "../../src/pki/authority.ts";
import type { Operation } from "../../src/protocol/operation.ts";
import { encodePacket } from "../../src/protocol/packet.ts";
import { cutConnection } from "../../src/runtime/socket.ts";
import { MainMetrics } from "../../src/telemetry/main_metrics.ts";
import { HeldStore } from "../support/held_store.ts";
import { type Sample, sampleValue, scrape } from "../support/metrics.ts";
import { RawClient } from "../support/raw_client.ts";
import { startTestServer, storeOf, TestPki, type TestServer } from "../support/test_server.ts";

const ON_DENO = "Deno" in globalThis;
const SKI = new Uint8Array(20).fill(7);
const DIGEST = new Uint8Array(32);
const SIGN = { opcode: 0x15, ski: SKI, payload: DIGEST };
const PING = { opcode: 0xf1 };
const KEYS = storeOf({
  sign: (_scheme, bytes) => bytes,
  decrypt: (block) => block,
});
const FAILING = storeOf({
  sign: () => Promise.reject(new Error("the pool timed out")),
  decrypt: (block) => block,
});

let pki: TestPki;
let rogue: Authority;
before(async () => {
  pki = await TestPki.create();
  rogue = await Authority.create("another authority");
});

const read = (started: TestServer) => scrape(started.snapshot());

/** What a server's metrics are once a connection has done something and is gone. */
async function afterConnection(
  use: (client: RawClient) => Promise<unknown> | void,
  options: Parameters<typeof startTestServer>[1] = {},
): Promise<Sample[]> {
  const started = await startTestServer(pki, options);
  const client = await RawClient.open({ ...pki.client, port: started.port });
  await use(client);
  client.socket.destroy();
  await untilGone(started);
  const samples = await read(started);
  await started.server.drain(0);
  return samples;
}

/** Waits until no connection is left; a drain would wait as well, and close what should end itself. */
async function untilGone({ server }: TestServer): Promise<void> {
  while (server.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

const failed = (samples: readonly Sample[]) => [
  sampleValue(samples, "keyless_failed_connection"),
  sampleValue(samples, "keyless_failed_connection_total"),
];

describe("keyless_failed_connection, by both of its names, counts", () => {
  test("a connection that is reset", async () => {
    const samples = await afterConnection(async (client) => {
      await client.ask(1, PING);
      client.send(2, PING);
      cutConnection(client.socket);
    });
    assert.deepEqual(failed(samples), [1, 1]);
  });

  test("a connection that ends in the middle of a request", async () => {
    const samples = await afterConnection(async (client) => {
      client.socket.end(encodePacket(1, PING).subarray(0, 10));
      await client.closed;
    });
    assert.deepEqual(failed(samples), [1, 1]);
  });

  test("a response that cannot be written, because its client takes nothing", async () => {
    const samples = await afterConnection(async (client) => {
      await client.fillWithUnreadReplies();
    }, { limits: { writeStallMs: 300, lingerMs: 100 } });
    assert.deepEqual(failed(samples), [1, 1]);
    assert.equal(sampleValue(samples, "keyless_connection_timeouts_total", { limit: "write" }), 1);
  });
});

describe("keyless_failed_connection does not count", () => {
  const UNCOUNTED: readonly [string, (client: RawClient) => Promise<unknown>, object][] = [
    ["a connection that its client closes", (client) => client.ask(1, PING), {}],
    ["a signature that failed", (client) => client.ask(1, SIGN), { keystore: FAILING }],
    ["a key that was not found", (client) => client.ask(1, SIGN), {}],
    ["a connection that is closed because it is idle", (client) => client.closed, {
      limits: { idleMs: 100, lingerMs: 100 },
    }],
  ];
  for (const [what, use, options] of UNCOUNTED) {
    test(what, async () => {
      assert.deepEqual(failed(await afterConnection(use, options)), [0, 0]);
    });
  }

  test("a client without a certificate, and one of another authority", async () => {
    const started = await startTestServer(pki);
    const { port, server } = started;
    const strangers = [{ ca: pki.authority.certificatePem }, await pki.otherClient({}, rogue)];
    for (const options of strangers) {
      const client = await RawClient.open({ ...options, port }).catch(() => undefined);
      await client?.closed;
    }
    await untilGone(started);
    const samples = await read(started);
    assert.deepEqual(failed(samples), [0, 0]);
    const refused = (outcome: string) =>
      sampleValue(samples, "keyless_handshakes_total", { outcome });
    assert.equal(refused("no_certificate"), 1);
    assert.equal(refused(ON_DENO ? "left" : "bad_certificate"), 1);
    await server.drain(0);
  });

  test("a client that leaves before its handshake, or never says a word", async () => {
    const started = await startTestServer(pki, { limits: { handshakeMs: 200 } });
    const { port, server } = started;
    const silent = connectTcp(port, "127.0.0.1").on("error", () => {}); // it is reset
    const leaving = connectTcp(port, "127.0.0.1");
    await new Promise((resolve) => leaving.once("connect", resolve));
    leaving.destroy();
    await new Promise((resolve) => silent.once("close", resolve).resume());
    await untilGone(started);
    const samples = await read(started);
    assert.deepEqual(failed(samples), [0, 0]);
    const ended = (outcome: string) =>
      sampleValue(samples, "keyless_handshakes_total", { outcome });
    assert.deepEqual([ended("timeout"), ended("left")], [1, 1]);
    const seconds = sampleValue(samples, "keyless_handshake_duration_seconds_sum", {
      outcome: "timeout",
    });
    assert.ok(seconds >= 0.15 && seconds < 5, `${seconds} s`);
    await server.drain(0);
  });

  test("the end of the server, which closes what is open", async () => {
    const started = await startTestServer(pki);
    const client = await RawClient.open({ ...pki.client, port: started.port });
    await client.ask(1, PING);
    await started.server.drain(1_000);
    assert.deepEqual(failed(await read(started)), [0, 0]);
    client.socket.destroy();
  });
});

describe("keyless_requests", () => {
  const OUTCOMES: readonly [string, Operation, string, string][] = [
    ["a signature", SIGN, "OpECDSASignSHA256", "ecdsa"],
    ["a decryption", { ...SIGN, opcode: 0x01 }, "OpRSADecrypt", "rsa"],
    ["a ping", PING, "OpPing", "other"],
    ["a request that is refused", { opcode: 0x23 }, "OpRPC", "rpc"],
    ["a reply's opcode", { opcode: 0xf2 }, "OpPong", "other"],
    ["an unknown opcode", { opcode: 0x99 }, "unknown", "unknown"],
  ];
  for (const [what, operation, opcode, type] of OUTCOMES) {
    test(`counts ${what} as ${opcode}, and its durations as ${type}`, async () => {
      const samples = await afterConnection((client) => client.ask(1, operation), {
        keystore: KEYS,
      });
      assert.equal(sampleValue(samples, "keyless_requests", { opcode }), 1);
      const count = (name: string) =>
        samples.filter((each) => each.name === `${name}_count` && each.labels["type"] === type)
          .reduce((sum, { value }) => sum + value, 0);
      assert.equal(count("keyless_request_exec_duration_per_opcode"), 1);
      assert.equal(count("keyless_request_total_duration_per_opcode"), 1);
    });
  }

  test("counts a request before anything is done with it", async () => {
    const held = new HeldStore();
    const started = await startTestServer(pki, { keystore: held.keystore });
    const client = await RawClient.open({ ...pki.client, port: started.port });
    client.send(1, SIGN);
    await held.reached(1);
    const during = await read(started);
    assert.equal(sampleValue(during, "keyless_requests", { opcode: "OpECDSASignSHA256" }), 1);
    assert.equal(sampleValue(during, `${EXEC}_count`, { type: "ecdsa", error: "no error" }), 0);
    assert.equal(sampleValue(during, "keyless_requests_in_flight"), 1);
    assert.ok(sampleValue(during, "keyless_requests_in_flight_oldest_seconds") > 0);
    held.release[0]!();
    await client.next();
    await client.ask(2, PING); // the reply before it has been written
    const afterwards = await read(started);
    assert.equal(sampleValue(afterwards, `${EXEC}_count`, { type: "ecdsa", error: "no error" }), 1);
    client.socket.destroy();
    await started.server.drain(0);
  });

  test("counts what cannot be decoded as unknown, with the error that it is answered", async () => {
    const samples = await afterConnection(async (client) => {
      client.socket.write(Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 1)); // version 2
      await client.next();
      client.socket.write(Uint8Array.of(1, 0, 0, 1, 0, 0, 0, 2, 0xff)); // a piece of an item
      await client.next();
    });
    assert.equal(sampleValue(samples, "keyless_requests", { opcode: "unknown" }), 2);
    for (const error of ["version mismatch", "malformed message"]) {
      assert.equal(sampleValue(samples, `${EXEC}_count`, { type: "unknown", error }), 1, error);
    }
  });
});

describe("durations", () => {
  test("have the label of the error that the client was answered", async () => {
    const samples = await afterConnection((client) => client.ask(1, SIGN), { keystore: FAILING });
    const labels = { type: "ecdsa", error: "internal error" };
    assert.equal(sampleValue(samples, `${EXEC}_count`, labels), 1);
    assert.equal(sampleValue(samples, `${TOTAL}_count`, labels), 1);
  });

  test("in total last until the client has taken the response; of execution they do not", async () => {
    const started = await startTestServer(pki);
    const client = await RawClient.open({ ...pki.client, port: started.port });
    await client.fillWithUnreadReplies();
    const samples = await read(started);
    const ping = { type: "other", error: "no error" };
    const executed = sampleValue(samples, `${EXEC}_count`, ping);
    const replied = sampleValue(samples, `${TOTAL}_count`, ping);
    assert.ok(replied < executed, `${replied} of ${executed}`);
    assert.equal(sampleValue(samples, "keyless_requests_in_flight"), executed - replied);
    assert.ok(sampleValue(samples, "keyless_unsent_bytes") > 0);
    client.socket.destroy();
    await started.server.drain(0);
  });

  test("of key lookup are those of operations with a private key, found or not", async () => {
    for (
      const { operation, count } of [
        { operation: SIGN, count: 1 },
        { operation: { ...SIGN, opcode: 0x01 }, count: 1 },
        { operation: { opcode: 0x15, payload: DIGEST }, count: 1 },
        ...[0xf1, 0x21, 0x22, 0x23, 0x24].map((opcode) => ({ operation: { opcode }, count: 0 })),
      ]
    ) {
      const samples = await afterConnection((client) => client.ask(1, operation), {
        keystore: KEYS,
      });
      assert.equal(
        sampleValue(samples, "keyless_key_load_duration_count"),
        count,
        `opcode ${operation.opcode}`,
      );
    }
  });
});

test("requests that wait for a slot show, and for how long", async () => {
  const held = new HeldStore();
  const started = await startTestServer(pki, {
    keystore: held.keystore,
    limits: { maxInFlight: 1 },
  });
  const client = await RawClient.open({ ...pki.client, port: started.port });
  const requests = [1, 2, 3].map((id) => encodePacket(id, SIGN));
  client.socket.write(concat(requests));
  await held.reached(1);
  const during = await read(started);
  assert.equal(sampleValue(during, "keyless_requests_in_flight"), 1);
  assert.equal(sampleValue(during, "keyless_requests_waiting"), 2);
  assert.ok(sampleValue(during, "keyless_requests_waiting_oldest_seconds") > 0);
  for (let count = 1; count <= 3; count++) {
    await held.reached(count);
    held.release[count - 1]!();
  }
  for (let count = 0; count < 3; count++) await client.next();
  assert.equal(sampleValue(await read(started), "keyless_requests_waiting"), 0);
  client.socket.destroy();
  await started.server.drain(0);
});

test("bytes, connections and handshakes are counted", async () => {
  const started = await startTestServer(pki, { limits: { maxConnections: 7 } });
  const client = await RawClient.open({ ...pki.client, port: started.port });
  await client.ask(1, PING);
  await client.ask(2, PING);
  const samples = await read(started);
  assert.equal(sampleValue(samples, "keyless_received_bytes_total"), 2_048);
  assert.ok(sampleValue(samples, "keyless_sent_bytes_total") >= 1_024);
  assert.equal(sampleValue(samples, "keyless_connections", { state: "established" }), 1);
  assert.equal(sampleValue(samples, "keyless_connections", { state: "handshaking" }), 0);
  assert.equal(sampleValue(samples, "keyless_connections_limit"), 7);
  const outcome = { outcome: "ok", tls_version: client.socket.getProtocol() ?? "" };
  assert.equal(sampleValue(samples, "keyless_handshakes_total", outcome), 1);
  client.socket.destroy();
  await started.server.drain(0);
});

describe("certificate_expiration_timestamp_seconds", () => {
  const EXPIRY = "certificate_expiration_timestamp_seconds";

  async function connectAs(started: TestServer, options: ConnectionOptions): Promise<void> {
    const client = await RawClient.open({ ...options, port: started.port });
    await client.ask(1, PING);
    client.socket.destroy();
  }

  async function shownNames(started: TestServer): Promise<unknown[]> {
    const samples = await read(started);
    return samples.filter(({ name, labels }) => name === EXPIRY && labels["ca"] === "0")
      .map(({ labels }) => labels["cn"]);
  }

  test("shows each client's certificate once, from its first connection on", async () => {
    const started = await startTestServer(pki);
    const first = await pki.otherClient({ commonName: "edge-1" });
    await connectAs(started, first);
    await connectAs(started, await pki.otherClient({ commonName: "edge-2" }));
    assert.deepEqual(await shownNames(started), ["edge-1", "edge-2"]);
    await connectAs(started, first);
    assert.deepEqual(await shownNames(started), ["edge-2", "edge-1"]);
    const samples = (await read(started)).filter(({ name }) => name === EXPIRY);
    const source = `listener: 127.0.0.1:${started.port}`;
    assert.ok(samples.every(({ labels }) => labels["source"] === source));
    await started.server.drain(0);
  });

  test("of more clients than may be shown, those that were not seen for longest leave", async () => {
    const metrics = new MainMetrics({ maxPeerCertificates: 3 });
    const { certificates } = metrics;
    const ders = await Promise.all(["a", "b", "c", "d"].map(async (commonName) => {
      const { certificatePem } = await pki.authority.issue({ commonName, usages: ["client"] });
      return pemToDer(certificatePem);
    }));
    for (const index of [0, 1, 2, 0, 3]) certificates.seen(ders[index]!, "127.0.0.1:1");
    const samples = await scrape(metrics.registry.snapshot());
    const names = samples.filter(({ name }) => name === EXPIRY).map(({ labels }) => labels["cn"]);
    assert.deepEqual(names, ["c", "a", "d"]);
    assert.equal(sampleValue(samples, "keyless_peer_certificates_dropped_total"), 1);
  });
});

const EXEC = "keyless_request_exec_duration_per_opcode";
const TOTAL = "keyless_request_total_duration_per_opcode";

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

function pemToDer(pem: string): Uint8Array {
  const body = pem.replaceAll(/-----[^-]+-----|\s/g, "");
  return Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
}
