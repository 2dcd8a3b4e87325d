import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { KeylessError } from "../../src/errors/errors.ts";
import { claimPort, listenOnPort } from "../../src/server/listen_port.ts";
import type { Server } from "../../src/server/server.ts";
import { RawClient } from "../support/raw_client.ts";
import { startTestServer, TestPki } from "../support/test_server.ts";

const PING = { opcode: 0xf1 };

let pki: TestPki;
before(async () => {
  pki = await TestPki.create();
});

/** What is said of an address that cannot be listened on. */
async function refusal(listening: Promise<unknown>): Promise<string> {
  const error = await listening.then(() => undefined, (thrown: unknown) => thrown);
  assert.ok(error instanceof KeylessError && error.code === "LISTEN", String(error));
  return error.message;
}

for (const host of ["127.0.0.1", "::1", "", "localhost"]) {
  describe(`a port of ${host === "" ? "all addresses" : host} that workers share`, () => {
    let servers: Server[];
    let port: number;

    before(async () => {
      ({ port } = await claimPort({ host, port: 0 }));
      const listen = [{ host, port, reusePort: true }];
      const started = [startTestServer(pki, { listen }), startTestServer(pki, { listen })];
      servers = (await Promise.all(started)).map(({ server }) => server);
    });
    after(() => Promise.all(servers.map((server) => server.drain(0))));

    test("is the one that was claimed, and connections come to all of them", async () => {
      assert.deepEqual(servers.map((server) => server.port), [port, port]);
      const served = () => servers.filter((server) => server.gauges().established > 0).length;
      const target = host === "" || host === "localhost" ? "127.0.0.1" : host;
      const address = host === "localhost" ? { host: "localhost" } : { host: target };
      const clients: RawClient[] = [];
      while (clients.length < 200 && served() < 2) {
        const client = await RawClient.open({ ...pki.client, ...address, port });
        assert.equal((await client.ask(1, PING))?.opcode, 0xf2);
        clients.push(client);
      }
      assert.equal(served(), 2, `${clients.length} connections, all to one`);
      for (const client of clients) client.socket.destroy();
    });

    test("is refused to a second server, in the words for any port that is taken", async () => {
      const claimed = await refusal(claimPort({ host, port }));
      assert.equal(claimed, await refusal(listenOnPort(createServer(), { host, port })));
      const where = `${host === "" ? "" : `${host} `}port ${port}`;
      assert.ok(claimed.startsWith(`cannot listen on ${where}: another process listens there; `));
    });
  });
}

describe("claiming a port", () => {
  test("leaves it free, and finds another each time for port 0", async () => {
    const first = await claimPort({ host: "127.0.0.1", port: 0 });
    assert.deepEqual(await claimPort(first), first);
    const server = createServer();
    await listenOnPort(server, first);
    const second = await claimPort({ host: "127.0.0.1", port: 0 });
    assert.notEqual(second.port, first.port);
    await new Promise((resolve) => server.close(resolve));
  });

  test("says what is wrong with an address, by the flags that set it", async () => {
    const flags = { port: "another --p", bind: "--b", path: "" };
    const foreign = await refusal(claimPort({ host: "192.0.2.1", port: 0 }, flags));
    assert.match(foreign, /no such address; name one of its own with --b$/);
    const unknown = await refusal(claimPort({ host: "no.such.host.invalid", port: 0 }, flags));
    assert.match(unknown, /the name has no address; check --b$/);
  });
});
