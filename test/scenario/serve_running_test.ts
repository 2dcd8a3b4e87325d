import assert from "node:assert/strict";
import { existsSync, lstatSync, readFileSync, symlinkSync } from "node:fs";
import { after, afterEach, before, describe, test } from "node:test";
import { ServerError } from "../../src/mod.ts";
import { makeKey } from "../support/openssl.ts";
import { PROGRAM_NAMES } from "../support/running_server.ts";
import { LOCAL, ServeFixture } from "../support/serve_fixture.ts";
import { makeTempDir } from "../support/temp_dir.ts";

let fixture: ServeFixture;

before(async () => {
  fixture = await ServeFixture.create();
  const { directory } = fixture;
  directory.write("p256.key", makeKey("P-256"));
  directory.write("p384.key", makeKey("P-384"));
  directory.write("rsa4096.key", makeKey("RSA 4096"));
});
after(() => fixture.remove());
afterEach(() => fixture.killServer());

for (const program of PROGRAM_NAMES) {
  describe(`the ${program}`, () => {
    test("drains on SIGTERM: what it has read is answered, and it exits 0", async () => {
      const args = [...LOCAL, "--private-key-files", "rsa4096.key"];
      const server = await fixture.start(args, { program });
      const { ski } = fixture.publicKey("rsa4096.key");
      const client = await fixture.openRaw(server.port);
      const count = 50;
      for (let id = 0; id < count; id++) {
        client.send(id, { opcode: 0x05, ski, payload: new Uint8Array(32) });
      }
      assert.equal((await client.next())?.operation.opcode, 0xf0);
      server.signal("SIGTERM");
      await server.event("stopping");
      let answers = 1;
      while (await client.next() !== undefined) answers += 1;
      assert.equal(answers, count);
      assert.equal(await server.ended, 0);
    });

    test("exits 1 when the deadline of a drain cuts requests", async () => {
      const server = await fixture.start([...LOCAL, "--shutdown-timeout", "300ms"], { program });
      await (await fixture.openRaw(server.port)).fillWithUnreadReplies();
      server.signal("SIGINT");
      assert.notEqual((await server.event("stopped"))["cut"], 0);
      assert.equal(await server.ended, 1);
    });

    test("stays on SIGHUP, and says that it cannot reload", async () => {
      const server = await fixture.start(LOCAL, { program });
      server.signal("SIGHUP");
      assert.match((await server.event("signal")).msg, /cannot reload/);
      const client = fixture.connect({ port: server.port });
      await client.ping();
      client.close();
      assert.equal(await server.stop(), 0);
    });

    test("stops when a signal comes while it loads its keys", async () => {
      const many = makeTempDir();
      for (let index = 0; index < 2_000; index++) {
        many.write(`${index}.key`, readFileSync(fixture.directory.at("p384.key")));
      }
      // a setting without effect is warned about before the keys are loaded
      const args = [...LOCAL, "--enable-pprof", "--private-key-dirs", many.path];
      const server = fixture.launch(args, { program });
      await server.event("configuration", ({ msg }) => msg.includes("enable_pprof"));
      assert.equal(await server.stop(), 0);
      assert.equal(server.lines.some(({ event }) => event === "listening"), false);
      many.remove();
    });

    test("ends at once on a second signal", async () => {
      const files = ["--pid-file", `${program}.pid`, "--unix-socket", `${program}-second.sock`];
      const server = await fixture.start([...LOCAL, "--shutdown-timeout", "1h", ...files], {
        program,
      });
      await (await fixture.openRaw(server.port)).fillWithUnreadReplies();
      server.signal("SIGTERM");
      await server.event("stopping");
      server.signal("SIGTERM");
      assert.equal(await server.ended, 1);
      assert.equal(existsSync(fixture.directory.at(`${program}.pid`)), false);
      assert.equal(existsSync(fixture.directory.at(`${program}-second.sock`)), false);
    });

    test("serves a UNIX socket of mode 0600, and replaces one left by a crash", async () => {
      const path = fixture.directory.at(`${program}.sock`);
      const args = ["--port", "off", "--unix-socket", path];
      for (const _ of ["first", "after a crash"]) {
        const server = await fixture.start(args, { program });
        assert.equal(lstatSync(path).mode & 0o777, 0o600);
        const client = fixture.connect({ socketPath: path });
        await client.ping(Uint8Array.of(1));
        client.close();
        await server.kill();
        assert.ok(existsSync(path));
      }
    });

    test("refuses a symbolic link in the place of a UNIX socket", async () => {
      const path = fixture.directory.at(`${program}-link.sock`);
      symlinkSync(fixture.directory.at("precious-socket"), path);
      assert.match(await fixture.refusal(["--unix-socket", path], { program }), /symbolic link/);
    });

    test("logs a failed request once, with names that cannot forge a line", async () => {
      const server = await fixture.start([...LOCAL, "--private-key-files", "p256.key"], {
        program,
      });
      const client = fixture.connect({ port: server.port });
      const query = { ski: new Uint8Array(20).fill(1), serverName: 'a\n{"level":"fatal"}' };
      await assert.rejects(
        client.sign(query, "ecdsa-sha256", new Uint8Array(32)),
        (error: unknown) => error instanceof ServerError && error.wireCode === 2,
      );
      client.close();
      const line = await server.event("request_failed");
      assert.equal(line["client"], "edge\\u{1b}[31m-1");
      assert.equal(line["sni"], 'a\\u{a}{"level":"fatal"}');
      assert.equal(line["ski"], "01".repeat(20));
      assert.match(String(line["requestId"]), /^[0-9a-f-]{36}$/);
      assert.equal(server.lines.filter(({ event }) => event === "request_failed").length, 1);
    });

    test("writes no line for a request that it serves", async () => {
      const server = await fixture.start(LOCAL, { program });
      const client = fixture.connect({ port: server.port });
      for (let count = 0; count < 20; count++) await client.ping();
      client.close();
      assert.equal(await server.stop(), 0);
      const events = server.lines.map(({ event }) => event).filter((each) =>
        each !== "configuration" && each !== "keys_proved" // which comes when it is done
      );
      assert.deepEqual(events, ["metrics_listening", "listening", "stopping", "stopped"]);
    });
  });
}
