import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { KeylessClient } from "../../src/client/client.ts";
import type { Operation } from "../../src/protocol/operation.ts";
import { openConnection, pemsOf } from "../support/client_fixture.ts";
import { echo, type FakePeer, type FakeServer, startFakeServer } from "../support/fake_server.ts";
import { TestPki } from "../support/test_server.ts";

let pki: TestPki;
before(async () => {
  pki = await TestPki.create();
});

function clientOf({ port }: FakeServer): KeylessClient {
  return new KeylessClient({ host: "127.0.0.1", port, ...pemsOf(pki.client) });
}

/** The bytes that the server got, of each field that has some. */
function bytesOf({ requests }: FakePeer): Record<string, number[]> {
  const fields = Object.entries(requests.at(-1)!.operation);
  return Object.fromEntries(
    fields.flatMap(([name, value]) => value instanceof Uint8Array ? [[name, [...value]]] : []),
  );
}

describe("buffers that their caller overwrites while the request waits for a connection", () => {
  test("sign sends the digest and the key's names as they were", async () => {
    await using server = await startFakeServer(pki, echo);
    const client = clientOf(server);
    const digest = Uint8Array.of(1, 2, 3);
    const key = {
      ski: new Uint8Array(20).fill(1),
      digest: new Uint8Array(32).fill(2),
      serverIp: Uint8Array.of(192, 0, 2, 1),
    };
    const answer = client.sign(key, "ed25519", digest);
    for (const bytes of [digest, key.ski, key.digest, key.serverIp]) bytes.fill(9);
    assert.deepEqual([...await answer], [1, 2, 3]);
    assert.deepEqual(bytesOf(server.peers[0]!), {
      payload: [1, 2, 3],
      ski: Array(20).fill(1),
      digest: Array(32).fill(2),
      serverIp: [192, 0, 2, 1],
    });
    client.close();
  });

  test("decrypt sends the block as it was", async () => {
    await using server = await startFakeServer(pki, echo);
    const client = clientOf(server);
    const block = Uint8Array.of(1, 2, 3);
    const answer = client.decrypt({ ski: new Uint8Array(20) }, block);
    block.fill(9);
    assert.deepEqual([...await answer], [1, 2, 3]);
    client.close();
  });

  test("ping sends the payload as it was, and compares the answer with that", async () => {
    await using server = await startFakeServer(pki, echo);
    const client = clientOf(server);
    const payload = Uint8Array.of(1, 2, 3);
    const answer = client.ping(payload);
    payload.fill(9);
    assert.deepEqual([...await answer], [1, 2, 3]);
    client.close();
  });

  test("request sends every byte field as it was", async () => {
    await using server = await startFakeServer(pki, echo);
    const client = clientOf(server);
    const fields = {
      payload: Uint8Array.of(1, 2),
      extra: Uint8Array.of(3, 4),
      ski: Uint8Array.of(5, 6),
      digest: Uint8Array.of(7, 8),
      clientIp: Uint8Array.of(127, 0, 0, 1),
      serverIp: Uint8Array.of(127, 0, 0, 2),
      span: Uint8Array.of(10, 11),
      context: Uint8Array.of(12, 13),
    } satisfies Operation;
    const before = Object.fromEntries(Object.entries(fields).map(([name, of]) => [name, [...of]]));
    const answer = client.request({ opcode: 0x24, ...fields });
    for (const bytes of Object.values(fields)) bytes.fill(99);
    await answer;
    assert.deepEqual(bytesOf(server.peers[0]!), before);
    client.close();
  });

  test("the second attempt sends what the first one did", async () => {
    const digest = Uint8Array.of(1, 2, 3);
    await using server = await startFakeServer(pki, (request, peer) => {
      digest.fill(9);
      if (server.peers.length === 1) peer.socket.destroy();
      else echo(request, peer);
    });
    const client = clientOf(server);
    const answer = await client.sign({ ski: new Uint8Array(20) }, "ed25519", digest);
    assert.deepEqual([...answer], [1, 2, 3]);
    assert.equal(server.peers.length, 2);
    client.close();
  });

  test("a connection on which another request waits for its turn sends them as they were", async () => {
    await using server = await startFakeServer(pki, echo);
    const connection = await openConnection(pki, server.port, { maxOutstanding: 1 });
    const payload = Uint8Array.of(1, 2, 3);
    const first = connection.request({ opcode: 0xf1 }, { timeoutMs: 4_000 });
    const second = connection.request({ opcode: 0xf1, payload }, { timeoutMs: 4_000 });
    payload.fill(9);
    await first;
    assert.deepEqual([...(await second).payload!], [1, 2, 3]);
    connection.close();
  });
});
