import assert from "node:assert/strict";
import { closeSync, existsSync, lstatSync, openSync, readdirSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import process from "node:process";
import { after, before, beforeEach, describe, test } from "node:test";
import { KeylessError } from "../../src/errors/errors.ts";
import { openUnixSocketCalls } from "../../src/runtime/unix_listener.ts";
import type { Server } from "../../src/server/server.ts";
import { openUnixListener, type UnixListener } from "../../src/server/unix_listener.ts";
import { makeSocketFile, removeSocketFile } from "../../src/server/unix_socket.ts";
import { RawClient } from "../support/raw_client.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";
import { startTestServer, TestPki } from "../support/test_server.ts";

const PING = { opcode: 0xf1 };

let pki: TestPki;
let dir: TempDir;
let path: string;
let count = 0;
before(async () => {
  pki = await TestPki.create();
  dir = makeTempDir();
});
beforeEach(() => {
  path = dir.at(`${count++}.sock`);
});
after(() => dir.remove());

async function serve(listener: UnixListener): Promise<Server> {
  return (await startTestServer(pki, { listen: [listener.share()] })).server;
}

async function openProved(): Promise<RawClient> {
  const client = await RawClient.open({ ...pki.client, path });
  assert.equal((await client.ask(1, PING))?.opcode, 0xf2);
  return client;
}

const refusedWith = (pattern: RegExp) => (error: unknown) =>
  error instanceof KeylessError && error.code === "LISTEN" && pattern.test(error.message);

describe("a UNIX socket that workers share", () => {
  test("is its owner's alone, and the umask is as before", async () => {
    const umask = process.umask();
    const listener = await openUnixListener(path);
    assert.equal(lstatSync(path).mode & 0o777, 0o600);
    assert.equal(process.umask(), umask);
    listener.close();
    assert.equal(existsSync(path), false);
  });

  test("is its owner's alone from the first moment on", async () => {
    const calls = openUnixSocketCalls()!;
    let [descriptor, mode] = [-1, 0];
    const file = await makeSocketFile(path, () => {
      descriptor = calls.listen(path);
      mode = lstatSync(path).mode & 0o777;
    });
    assert.equal(mode, 0o600);
    calls.close(descriptor);
    removeSocketFile(file);
  });

  test("has its connections served by those that listen, each behind mutual TLS", async () => {
    const listener = await openUnixListener(path);
    const servers = [await serve(listener), await serve(listener)];
    assert.deepEqual(servers[1]!.addresses, [`unix:${path}`]);
    const clients = [await openProved()];
    const [busy, idle] = servers[0]!.connections === 1 ? servers : servers.toReversed();
    busy!.closeListeners();
    clients.push(await openProved());
    assert.deepEqual([busy!.connections, idle!.connections], [1, 1]);
    for (const client of clients) assert.equal((await client.ask(2, PING))?.opcode, 0xf2);
    const { ca } = pki.client;
    await assert.rejects(async () => {
      const stranger = await RawClient.open({ ca, path } as typeof pki.client);
      if (await stranger.ask(1, PING) === undefined) throw new Error("refused");
    });
    for (const client of clients) client.socket.destroy();
    await Promise.all(servers.map((server) => server.drain(0)));
    listener.close();
  });

  test("stays when one of them ends: the others serve, and none that waits is lost", async () => {
    const listener = await openUnixListener(path);
    const first = await serve(listener);
    const second = await serve(listener);
    await first.drain(0);
    assert.ok(existsSync(path));
    (await openProved()).socket.destroy();
    await second.drain(0);

    const waiting = openProved(); // nobody is there to accept it
    const replacement = await serve(listener);
    (await waiting).socket.destroy();
    await replacement.drain(0);
    listener.close();
  });

  test("leaves no descriptor open", async () => {
    const before = openSockets();
    const listener = await openUnixListener(path);
    const servers = [await serve(listener), await serve(listener)];
    assert.equal(openSockets(), before + 3);
    await Promise.all(servers.map((server) => server.drain(0)));
    listener.close();
    while (openSockets() > before) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  test("leaves no descriptor open where servers cannot start", async () => {
    const listener = await openUnixListener(path);
    const file = openSync(dir.write("file", ""), "r");
    const elsewhere = { host: "203.0.113.1", port: 0 }; // no address of this machine
    const before = readdirSync("/proc/self/fd").length;
    for (let attempt = 0; attempt < 5; attempt++) {
      await assert.rejects(startTestServer(pki, { listen: [elsewhere, listener.share()] }));
      await assert.rejects(startTestServer(pki, { listen: [{ fd: file, path }] }));
    }
    assert.equal(readdirSync("/proc/self/fd").length, before);
    closeSync(file);
    listener.close();
  });

  test("is shared no more when it is closed", async () => {
    const listener = await openUnixListener(path);
    listener.close();
    listener.close();
    assert.throws(() => listener.share(), refusedWith(/it is closed/));
  });

  test("leaves the file of its successor alone", async () => {
    const old = await openUnixListener(path);
    const server = await serve(old);
    old.close();
    const successor = await openUnixListener(path);
    old.close();
    await server.drain(0);
    assert.ok(existsSync(path));
    successor.close();
  });

  test("may have a name of 107 bytes, and no longer one", async () => {
    path = dir.at("n".repeat(107 - dir.path.length - 1));
    const listener = await openUnixListener(path);
    const server = await serve(listener);
    (await openProved()).socket.destroy();
    await server.drain(0);
    listener.close();
    const umlaut = `${path.slice(0, -1)}\u00fc`; // 107 characters, 108 bytes
    const longer = refusedWith(/has at most 107 bytes, and this one 108; choose a shorter one/);
    await assert.rejects(openUnixListener(umlaut), longer);
    await assert.rejects(startTestServer(pki, { listen: [{ path: umlaut }] }), longer);
  });

  test("is refused where another process has it open, or no directory is there", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(path, resolve));
    await assert.rejects(openUnixListener(path), refusedWith(/another process has it open/));
    await new Promise((resolve) => other.close(resolve));

    const shared = await openUnixListener(path);
    await assert.rejects(openUnixListener(path), refusedWith(/another process has it open/));
    shared.close();
    const nowhere = dir.at("none", "a.sock");
    await assert.rejects(openUnixListener(nowhere), refusedWith(/its directory does not exist/));
  });
});

test("what is no socket that listens is refused with the path that it was given for", async () => {
  for (const fd of [99_999, -1]) {
    const listen = [{ fd, path: "/run/a.sock" }];
    const refused = refusedWith(/^cannot listen on \/run\/a\.sock: /);
    await assert.rejects(startTestServer(pki, { listen }), refused);
  }
});

function openSockets(): number {
  const isSocket = (name: string) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).startsWith("socket:");
    } catch {
      return false; // closed meanwhile
    }
  };
  return readdirSync("/proc/self/fd").filter(isSocket).length;
}
