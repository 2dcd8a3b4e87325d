import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { KeylessClient } from "../../src/client/client.ts";
import { ServerError } from "../../src/client/errors.ts";
import { Authority } from "../../src/pki/authority.ts";
import { pemsOf, rejection } from "../support/client_fixture.ts";
import { startTestServer, storeOf, TestPki } from "../support/test_server.ts";

const SKI = new Uint8Array(20).fill(7);

describe("KeylessClient and our own server", () => {
  let pki: TestPki;
  before(async () => {
    pki = await TestPki.create();
  });

  test("more requests at once than a connection may have are all answered", async () => {
    const { server, port } = await startTestServer(pki);
    const client = new KeylessClient({ host: "127.0.0.1", port, ...pemsOf(pki.client) });
    const payloads = Array.from({ length: 3_000 }, (_, n) => Uint8Array.of(n >> 8, n & 0xff));
    const answers = await Promise.all(payloads.map((payload) => client.ping(payload)));
    assert.deepEqual(answers, payloads);
    client.close();
    await server.drain(1_000);
  });

  test("sign and decrypt bring what the key's signer gives, and its errors a code", async () => {
    const keystore = storeOf({
      sign: (scheme, bytes) => new TextEncoder().encode(`${scheme} ${bytes.length}`),
      decrypt: (block) => block.toReversed(),
    });
    const { server, port } = await startTestServer(pki, { keystore });
    const client = new KeylessClient({ host: "127.0.0.1", port, ...pemsOf(pki.client) });
    const signature = await client.sign({ ski: SKI }, "ecdsa-sha384", new Uint8Array(48));
    assert.equal(new TextDecoder().decode(signature), "ecdsa-sha384 48");
    assert.deepEqual(
      await client.decrypt({ ski: SKI }, Uint8Array.of(1, 2, 3)),
      Uint8Array.of(3, 2, 1),
    );
    const error = await rejection(client.sign({}, "ed25519", new Uint8Array(1)));
    assert.ok(error instanceof ServerError);
    assert.equal(error.wireCode, 2);
    client.close();
    await server.drain(1_000);
  });

  test("a client of another CA is refused with TLS_REFUSED", async () => {
    const { server, port } = await startTestServer(pki);
    const rogue = await pki.otherClient({}, await Authority.create("rogue"));
    const client = new KeylessClient({ host: "127.0.0.1", port, ...pemsOf(rogue) });
    assert.equal((await rejection(client.ping())).code, "TLS_REFUSED");
    client.close();
    await server.drain(1_000);
  });

  test("a server that drains answers what is under way, and is not reached afterwards", async () => {
    const gate = Promise.withResolvers<Uint8Array>();
    const asked = Promise.withResolvers<void>();
    const keystore = storeOf({
      sign: () => {
        asked.resolve();
        return gate.promise;
      },
      decrypt: (block) => block,
    });
    const { server, port } = await startTestServer(pki, { keystore });
    const client = new KeylessClient({ host: "127.0.0.1", port, ...pemsOf(pki.client) });
    const signature = client.sign({ ski: SKI }, "ed25519", Uint8Array.of(1));
    await asked.promise;
    const drained = server.drain(4_000);
    gate.resolve(Uint8Array.of(5));
    assert.deepEqual(await signature, Uint8Array.of(5));
    await drained;
    assert.equal((await rejection(client.ping())).code, "CONNECT");
    client.close();
  });
});
