/** The limits that an operator sets, and the guard against core dumps, as the program keeps them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import type { RawClient } from "../support/raw_client.ts";
import { PROGRAM_NAMES } from "../support/running_server.ts";
import { LOCAL, ServeFixture } from "../support/serve_fixture.ts";

const PING = { opcode: 0xf1 };
const OP_PONG = 0xf2;

/** Far less than every default that is replaced here. */
const SOON_MS = 8_000;

let fixture: ServeFixture;
before(async () => {
  fixture = await ServeFixture.create();
});
after(() => fixture.remove());
afterEach(() => fixture.killServer());

for (const program of PROGRAM_NAMES) {
  describe(`serve of the ${program}`, () => {
    const start = (...flags: string[]) => fixture.start([...LOCAL, ...flags], { program });

    test("--handshake-timeout: who says nothing is cut", async () => {
      const server = await start("--handshake-timeout", "300ms");
      const socket = connect(server.port, "127.0.0.1");
      socket.on("error", () => {});
      await within(SOON_MS, new Promise((resolve) => socket.once("close", resolve)));
      assert.match(String((await server.event("refused"))["reason"]), /handshake took too long/);
    });

    test("--idle-timeout, --unix-idle-timeout: who asks nothing is closed in its time", async () => {
      const path = fixture.directory.at(`${program}.sock`);
      const times = ["--idle-timeout", "300ms", "--unix-idle-timeout", "1500ms"];
      const server = await start("--unix-socket", path, ...times);
      const overTcp = await fixture.openRaw(server.port);
      const overUnix = await fixture.openRaw(path);
      await within(SOON_MS, overTcp.closed);
      assert.equal((await overUnix.ask(1, PING))?.opcode, OP_PONG);
      await within(SOON_MS, overUnix.closed);
    });

    test("--write-timeout: who takes no replies is cut", async () => {
      const server = await start("--write-timeout", "500ms");
      const client = await fixture.openRaw(server.port);
      const filled = client.fillWithUnreadReplies();
      const line = await within(SOON_MS, server.event("connection_failed"));
      assert.match(String(line["reason"]), /0\.5 s/);
      client.socket.destroy();
      await filled;
    });

    test("--max-connections: one more is refused, and those that are open go on", async () => {
      const server = await start("--max-connections", "2");
      const clients = [await openProved(server.port), await openProved(server.port)];
      await assert.rejects(fixture.openRaw(server.port));
      assert.match(String((await server.event("refused"))["reason"]), /max_connections/);
      for (const client of clients) {
        assert.equal((await client.ask(2, PING))?.opcode, OP_PONG);
        client.socket.destroy();
      }
    });

    test("--max-in-flight: of a client that takes no replies, no more than that is read", async () => {
      const server = await start("--max-in-flight", "1", "--shutdown-timeout", "200ms");
      const client = await fixture.openRaw(server.port);
      await client.fillWithUnreadReplies();
      server.signal("SIGTERM");
      assert.equal((await server.event("stopped"))["cut"], 1);
      assert.equal(await server.ended, 1);
      client.socket.destroy();
    });

    test("no core file can be written: its limit is 0, and cannot be raised again", async () => {
      const server = await start();
      const limits = readFileSync(`/proc/${server.pid}/limits`, "utf8");
      assert.match(limits, /^Max core file size +0 +0 +bytes/m);
    });
  });
}

/** A client whose handshake is done on the server's side as well. */
async function openProved(port: number): Promise<RawClient> {
  const client = await fixture.openRaw(port);
  assert.equal((await client.ask(1, PING))?.opcode, OP_PONG);
  return client;
}

/** @throws Error where the promise takes longer */
async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const error = new Error(`it did not happen within ${timeoutMs} ms`);
    timer = setTimeout(() => reject(error), timeoutMs);
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
