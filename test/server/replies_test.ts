import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { KeylessError } from "../../src/errors/errors.ts";
import { type RequestContext } from "../../src/keystore/keystore.ts";
import { OPCODES } from "../../src/protocol/opcodes.ts";
import type { Operation } from "../../src/protocol/operation.ts";
import { encodePacket } from "../../src/protocol/packet.ts";
import { RawClient } from "../support/raw_client.ts";
import { startTestServer, storeOf, TestPki, type TestServer } from "../support/test_server.ts";

const SKI = new Uint8Array(20).fill(7);
const DIGEST = new Uint8Array(32).fill(9);
const PADDED_BYTES = 1_024;

let pki: TestPki;
let server: TestServer;
let client: RawClient;
let nextId = 1;

before(async () => {
  pki = await TestPki.create();
  const store = storeOf({
    sign: (scheme, bytes) => {
      if (scheme.startsWith("rsa")) throw new KeylessError("SIGN_REFUSED", "not an RSA key");
      if (scheme === "ecdsa-sha1") throw new TypeError("a defect");
      return bytes;
    },
    decrypt: (block) => Promise.resolve(block),
  });
  server = await startTestServer(pki, { keystore: store });
  client = await RawClient.open({ ...pki.client, port: server.port });
});

after(async () => {
  client.socket.destroy();
  await server.server.drain(0);
});

/** The header and body of a packet with the bytes of a test. */
function rawPacket(id: number, body: readonly number[], major = 1, minor = 0): Uint8Array {
  return Uint8Array.of(major, minor, body.length >> 8, body.length & 0xff, 0, 0, 0, id, ...body);
}

function reply(error: number): Operation {
  return { opcode: 0xff, payload: Uint8Array.of(error) };
}

async function ask(operation: Operation): Promise<Operation> {
  const answer = await client.ask(nextId++, operation);
  assert.ok(answer, "the connection ended");
  return answer;
}

function assertReply(answer: Operation | undefined, expected: Operation): void {
  assert.equal(answer?.opcode, expected.opcode);
  assert.deepEqual(answer?.payload, expected.payload);
}

describe("a request that can be served", () => {
  test("a ping comes back as a pong with its payload", async () => {
    assertReply(await ask({ opcode: 0xf1, payload: DIGEST }), { opcode: 0xf2, payload: DIGEST });
  });

  test("a ping without payload comes back as a pong without payload", async () => {
    assertReply(await ask({ opcode: 0xf1 }), { opcode: 0xf2, payload: undefined });
  });

  test("a ping with the longest payload comes back whole", async () => {
    const payload = new Uint8Array(65_528).fill(3);
    assertReply(await ask({ opcode: 0xf1, payload }), { opcode: 0xf2, payload });
  });

  test("a signature comes back as a response", async () => {
    const answer = await ask({ opcode: 0x15, ski: SKI, payload: DIGEST });
    assertReply(answer, { opcode: 0xf0, payload: DIGEST });
  });

  test("a signer that answers later is waited for", async () => {
    const answer = await ask({ opcode: 0x01, ski: SKI, payload: DIGEST });
    assertReply(answer, { opcode: 0xf0, payload: DIGEST });
  });

  test("broken trace and context items are ignored", async () => {
    const context = new TextEncoder().encode("null");
    const span = Uint8Array.of(1, 2, 3);
    const answer = await ask({ opcode: 0x15, ski: SKI, payload: DIGEST, span, context });
    assertReply(answer, { opcode: 0xf0, payload: DIGEST });
  });

  test("a packet of minor version 7 is served", async () => {
    client.socket.write(rawPacket(200, [0x11, 0, 1, 0xf1], 1, 7));
    assert.equal((await client.next())?.operation.opcode, 0xf2);
  });

  test("unknown tags are ignored", async () => {
    client.socket.write(rawPacket(201, [0x11, 0, 1, 0xf1, 0x7e, 0, 1, 5]));
    assert.equal((await client.next())?.operation.opcode, 0xf2);
  });
});

describe("a request that cannot be served gets its error, and the connection lives on", () => {
  const body = (...bytes: number[]) => bytes;
  const malformed: readonly [string, readonly number[]][] = [
    ["an item that overruns the body", body(0x11, 0, 9, 0xf1)],
    ["an opcode of two bytes", body(0x11, 0, 2, 0xf1, 0xf1)],
    ["an opcode of no byte", body(0x11, 0, 0)],
    ["a payload that stands twice", body(0x11, 0, 1, 0xf1, 0x12, 0, 1, 1, 0x12, 0, 1, 1)],
    ["a padding that stands twice", body(0x11, 0, 1, 0xf1, 0x20, 0, 0, 0x20, 0, 0)],
    ["a client IP of 5 bytes", body(0x11, 0, 1, 0xf1, 0x03, 0, 5, 1, 2, 3, 4, 5)],
    ["a server IP of no byte", body(0x11, 0, 1, 0xf1, 0x05, 0, 0)],
    ["a compliance region of 2 bytes", body(0x11, 0, 1, 0xf1, 0x17, 0, 2, 1, 1)],
    ["one byte after the last item", body(0x11, 0, 1, 0xf1, 0)],
    ["two bytes after the last item", body(0x11, 0, 1, 0xf1, 0, 0)],
  ];
  for (const [name, bytes] of malformed) {
    test(`${name}: error 7`, async () => {
      client.socket.write(rawPacket(77, bytes));
      const answer = await client.next();
      assert.equal(answer?.id, 77);
      assertReply(answer?.operation, reply(7));
      assertReply(await ask({ opcode: 0xf1 }), { opcode: 0xf2, payload: undefined });
    });
  }

  test("another major version: error 4", async () => {
    client.socket.write(rawPacket(78, [0x11, 0, 1, 0xf1], 2));
    const answer = await client.next();
    assert.equal(answer?.id, 78);
    assertReply(answer?.operation, reply(4));
  });

  const cases: readonly [string, Operation, number][] = [
    ["no opcode", { payload: DIGEST }, 5],
    ["an unknown opcode", { opcode: 0x99 }, 5],
    ["Custom without a handler", { opcode: 0x24 }, 5],
    ["OpResponse as a request", { opcode: 0xf0 }, 6],
    ["OpPong as a request", { opcode: 0xf2 }, 6],
    ["OpError as a request", { opcode: 0xff }, 6],
    ["Seal without a sealer", { opcode: 0x21, payload: DIGEST }, 8],
    ["Unseal without a sealer", { opcode: 0x22, payload: DIGEST }, 8],
    ["an RPC", { opcode: 0x23, payload: DIGEST }, 8],
    ["a key that is not there", { opcode: 0x15, payload: DIGEST }, 2],
    ["an operation that the key refuses", { opcode: 0x05, ski: SKI, payload: DIGEST }, 1],
    ["a defect of the server's own", { opcode: 0x13, ski: SKI, payload: DIGEST }, 8],
  ];
  for (const [name, operation, error] of cases) {
    test(`${name}: error ${error}`, async () => {
      assertReply(await ask(operation), reply(error));
    });
  }
});

test("replies hold opcode, payload and padding alone, and fill 1,024 bytes", async () => {
  const other = await RawClient.open({ ...pki.client, port: server.port });
  const received: Uint8Array[] = [];
  other.socket.on("data", (chunk) => received.push(chunk));
  await other.ask(5, { opcode: 0x15, ski: SKI, payload: DIGEST, serverName: "a.example" });
  other.socket.destroy();
  const bytes = new Uint8Array(PADDED_BYTES);
  bytes.set(encodePacket(5, { opcode: 0xf0, payload: DIGEST }));
  assert.deepEqual(new Uint8Array(Buffer.concat(received)), bytes);
});

test("every opcode of the table has an answer", async () => {
  for (const { code } of OPCODES) {
    const answer = await ask({ opcode: code, ski: SKI, payload: DIGEST });
    assert.ok([0xf0, 0xf2, 0xff].includes(answer.opcode ?? 0), `opcode ${code}`);
  }
});

test("a signer learns who asks, and which span the request belongs to", async () => {
  const seen: RequestContext[] = [];
  const keystore = storeOf({
    sign: (_scheme, bytes, context) => {
      seen.push(context);
      return bytes;
    },
    decrypt: (block) => block,
  });
  const { server, port } = await startTestServer(pki, { keystore });
  const client = await RawClient.open({ ...pki.client, port });
  const span = new TextEncoder().encode("1:2:3:1");
  await client.ask(1, { opcode: 0x18, ski: SKI, payload: DIGEST, span });
  assert.equal(seen[0]?.client.name, "test client");
  assert.match(seen[0]?.client.address ?? "", /^127\.0\.0\.1:\d+$/);
  assert.deepEqual(seen[0]?.span, span);
  assert.equal(seen[0]?.forwarded, false);
  const gone = new Promise((resolve) => seen[0]?.signal.addEventListener("abort", resolve));
  client.socket.destroy();
  await gone;
  await server.drain(0);
});
