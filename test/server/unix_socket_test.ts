import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { KeylessError } from "../../src/errors/errors.ts";
import { RawClient } from "../support/raw_client.ts";
import { startTestServer, TestPki } from "../support/test_server.ts";

let pki: TestPki;
let directory: string;
let path: string;
let count = 0;

before(async () => {
  pki = await TestPki.create();
  directory = mkdtempSync(join(tmpdir(), "keyless-unix-"));
});
beforeEach(() => {
  path = join(directory, `${count++}.sock`);
});
after(() => rmSync(directory, { recursive: true }));

const start = () => startTestServer(pki, { listen: [{ path }] });

function refusal(pattern: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof KeylessError);
    assert.equal(error.code, "LISTEN");
    assert.match(error.message, pattern);
    assert.ok(error.message.includes(path));
    return true;
  };
}

test("mutual TLS is spoken on a UNIX socket that only its owner may open", async () => {
  const { server } = await start();
  assert.equal(lstatSync(path).mode & 0o777, 0o600);
  assert.deepEqual(server.addresses, [`unix:${path}`]);
  const client = await RawClient.open({ ...pki.client, path });
  assert.equal((await client.ask(1, { opcode: 0xf1 }))?.opcode, 0xf2);
  await assert.rejects(async () => {
    const stranger = await RawClient.open({ ca: pki.client.ca, path } as typeof pki.client);
    if (await stranger.ask(1, { opcode: 0xf1 }) === undefined) throw new Error("refused");
  });
  client.socket.destroy();
  await server.drain(0);
  assert.equal(existsSync(path), false);
});

test("TCP and UNIX socket are served at once", async () => {
  const { server, port } = await startTestServer(pki, {
    listen: [{ host: "127.0.0.1", port: 0 }, { path }],
  });
  for (const where of [{ path }, { port }]) {
    const client = await RawClient.open({ ...pki.client, ...where });
    assert.equal((await client.ask(1, { opcode: 0xf1 }))?.opcode, 0xf2);
    client.socket.destroy();
  }
  await server.drain(0);
});

test("a UNIX socket has an idle timeout of its own", async () => {
  const limits = { idleMs: 50, unixIdleMs: 400 };
  const { server } = await startTestServer(pki, { listen: [{ path }], limits });
  const client = await RawClient.open({ ...pki.client, path });
  const begun = performance.now();
  await client.closed;
  assert.ok(performance.now() - begun > 200);
  await server.drain(0);
});

test("a stale socket is replaced", async () => {
  const script = `import { createServer } from "node:net"; import process from "node:process";
    createServer().listen(process.argv.at(-1), () => process.kill(process.pid, "SIGKILL"));`;
  await runScript(script, path);
  assert.ok(lstatSync(path).isSocket());
  const { server } = await start();
  const client = await RawClient.open({ ...pki.client, path });
  assert.equal((await client.ask(1, { opcode: 0xf1 }))?.opcode, 0xf2);
  client.socket.destroy();
  await server.drain(0);
});

test("a socket on which another process listens is left alone", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(path, resolve));
  await assert.rejects(start(), refusal(/another process has it open/));
  assert.ok(lstatSync(path).isSocket());
  await new Promise((resolve) => other.close(resolve));
});

test("a server that ends late leaves the socket of its successor alone", async () => {
  const { server: old } = await start();
  const slow = await RawClient.open({ ...pki.client, path });
  await slow.ask(1, { opcode: 0xf1 });
  slow.stopReading(); // so that it does not close its side
  const drained = old.drain(20_000);
  const { server } = await start();
  slow.socket.destroy();
  await drained;
  await old.drain(0);
  const client = await RawClient.open({ ...pki.client, path });
  assert.equal((await client.ask(1, { opcode: 0xf1 }))?.opcode, 0xf2);
  client.socket.destroy();
  await server.drain(0);
  assert.equal(existsSync(path), false);
});

test("a socket whose process is too busy to accept is not taken for a stale one", async () => {
  const script = `import { createServer } from "node:net"; import process from "node:process";
    createServer().listen({ path: process.argv.at(-1), backlog: 1 }, () => {
      process.kill(process.pid, "SIGSTOP");
    });`;
  const file = join(directory, "stopped.mjs");
  writeFileSync(file, script);
  const child = spawn("node", [file, path], { stdio: "ignore" });
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 5));
  const waiting = Array.from({ length: 8 }, () => connect(path).on("error", () => {}));
  await Promise.race(waiting.map((each) => new Promise((resolve) => each.once("error", resolve))));
  await assert.rejects(start(), refusal(/another process has it open/));
  assert.ok(lstatSync(path).isSocket());
  for (const each of waiting) each.destroy();
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("close", resolve));
});

test("a socket file that cannot be removed does not keep a drain from answering", async () => {
  const closed = join(directory, "closed");
  mkdirSync(closed);
  path = join(closed, "a.sock");
  const { server } = await start();
  const client = await RawClient.open({ ...pki.client, path });
  await client.ask(1, { opcode: 0xf1 });
  rmSync(closed, { recursive: true });
  writeFileSync(closed, "no directory any more");
  const drained = server.drain(20_000);
  client.send(2, { opcode: 0xf1 });
  assert.equal((await client.next())?.id, 2);
  client.socket.end();
  assert.equal(await drained, 0);
});

test("a symbolic link is refused, and what it leads to is left alone", async () => {
  const target = `${path}.target`;
  writeFileSync(target, "precious");
  symlinkSync(target, path);
  await assert.rejects(start(), refusal(/symbolic link/));
  assert.equal(readFileSync(target, "utf8"), "precious");
});

test("a file that is no socket is refused and left alone", async () => {
  writeFileSync(path, "precious");
  await assert.rejects(start(), refusal(/no socket/));
  assert.equal(readFileSync(path, "utf8"), "precious");
});

test("a path in a directory that is not there is refused", async () => {
  path = join(directory, "none", "a.sock");
  await assert.rejects(start(), refusal(/cannot listen/));
});

test("a port that is taken is refused with its number", async () => {
  const { server, port } = await startTestServer(pki);
  await assert.rejects(
    startTestServer(pki, { listen: [{ host: "127.0.0.1", port }] }),
    (error: unknown) => error instanceof KeylessError && error.message.includes(`port ${port}`),
  );
  await server.drain(0);
});

async function runScript(script: string, ...args: readonly string[]): Promise<void> {
  const file = join(directory, "script.mjs");
  writeFileSync(file, script);
  const child = spawn("node", [file, ...args], { stdio: "ignore" });
  await new Promise((resolve) => child.on("close", resolve));
}
