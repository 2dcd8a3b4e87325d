import assert from "node:assert/strict";
import { createVerify, generateKeyPairSync } from "node:crypto";
import { mkdirSync } from "node:fs";
import { after, afterEach, before, describe, test } from "node:test";
import { keyOf, rsaOfComposite } from "../support/openssl.ts";
import { PROGRAM_NAMES, type RunningServer } from "../support/running_server.ts";
import { LOCAL, ServeFixture } from "../support/serve_fixture.ts";
import { sha } from "../support/store_fixture.ts";

const MESSAGE = new TextEncoder().encode("signed by a key that was proved");
const DIGEST = sha("sha256", MESSAGE);

let fixture: ServeFixture;
before(async () => {
  fixture = await ServeFixture.create();
  fixture.directory.write("p256.key", keyOf("P-256"));
  fixture.directory.write("rsa.key", keyOf("RSA 2048"));
  fixture.directory.write("wrong.key", rsaOfComposite());
});
after(() => fixture.remove());
afterEach(() => fixture.killServer());

const filesOf = (...names: readonly string[]) =>
  names.flatMap((name) => ["--private-key-files", `${name}.key`]);

async function proofsOf({ metricsPort }: RunningServer): Promise<Record<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const samples = text.matchAll(/^keyless_key_proofs\{result="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries(Array.from(samples, ([, result, value]) => [result, Number(value)]));
}

for (const program of PROGRAM_NAMES) {
  describe(`the ${program}`, () => {
    test("proves its keys to sign after the start, and says so", async () => {
      const server = await fixture.start([...LOCAL, ...filesOf("p256", "rsa")], { program });
      const line = await server.event("keys_proved");
      assert.deepEqual([line.level, line["passed"], line["failed"]], ["info", 2, 0]);
      assert.deepEqual(await proofsOf(server), { pending: 0, passed: 2, failed: 0 });
      assert.equal(await server.stop(), 0);
    });

    test("uses a key no more whose signatures are wrong, names it, and serves the others", async () => {
      const files = filesOf("p256", "rsa", "wrong");
      const server = await fixture.start([...LOCAL, ...files], { program });
      const failed = await server.event("key_failed");
      assert.equal(failed.level, "error");
      assert.equal(failed["path"], "wrong.key");
      assert.match(
        String(failed["why"]),
        /signatures that do not verify, and is not used any more/,
      );
      const line = await server.event("keys_proved");
      assert.deepEqual([line.level, line["passed"], line["failed"]], ["error", 2, 1]);
      assert.deepEqual(await proofsOf(server), { pending: 0, passed: 2, failed: 1 });
      const client = fixture.connect({ port: server.port });
      const sign = (name: string) => {
        const { ski, key } = fixture.publicKey(name);
        return client.sign({ ski }, "rsa-sha256", DIGEST).then((signature) =>
          createVerify("sha256").update(MESSAGE).verify(key, signature)
        );
      };
      assert.equal(await sign("rsa.key"), true);
      await assert.rejects(sign("wrong.key"), /cryptography error/);
      const refused = await server.event("request_failed");
      assert.match(
        String(refused["reason"]),
        /the key was withdrawn: its signatures do not verify/,
      );
      client.close();
      assert.equal(await server.stop(), 0);
    });
  });
}

test("a server that is stopped while it proves its keys ends at once, as if it had none", async () => {
  mkdirSync(fixture.directory.at("many"));
  for (let count = 0; count < 500; count++) {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = privateKey.export({ type: "pkcs8", format: "pem" });
    fixture.directory.write(`many/${count}.key`, String(pem));
  }
  const server = await fixture.start([...LOCAL, "--private-key-dirs", "many"]);
  assert.equal((await proofsOf(server))["failed"], 0);
  const startedMs = performance.now();
  assert.equal(await server.stop(), 0);
  assert.ok(performance.now() - startedMs < 2_000);
  assert.ok(!server.lines.some(({ event }) => event === "keys_proved"), "it was not over");
  assert.ok(!server.lines.some(({ event }) => event === "key_failed"));
});
