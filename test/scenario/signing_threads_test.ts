import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { after, afterEach, before, describe, test } from "node:test";
import { makeKey, opensslVerifies } from "../support/openssl.ts";
import { PROGRAM_NAMES } from "../support/running_server.ts";
import { LOCAL, ServeFixture } from "../support/serve_fixture.ts";

const RSA_SHA256 = 0x05;
const OP_RESPONSE = 0xf0;
const OP_ERROR = 0xff;
const DIGEST = new Uint8Array(32).fill(9);

let fixture: ServeFixture;

before(async () => { // openssl may take long to find the key
  fixture = await ServeFixture.create();
  fixture.directory.write("rsa3072.key", makeKey("RSA 3072"));
}, { timeout: 60_000 });
after(() => fixture.remove());
afterEach(() => fixture.killServer());

for (const program of PROGRAM_NAMES) {
  describe(`the ${program}`, () => {
    test("signs with slow keys on a thread for each core, which give way to the others", async () => {
      const args = [...LOCAL, "--private-key-files", "rsa3072.key"];
      const server = await fixture.start(args, { program });
      const { key, ski } = fixture.publicKey("rsa3072.key");
      const client = await fixture.openRaw(server.port);
      const reply = await client.ask(1, { opcode: RSA_SHA256, ski, payload: DIGEST });
      assert.equal(reply?.opcode, OP_RESPONSE);
      const spki = new Uint8Array(key.export({ type: "spki", format: "der" }));
      assert.ok(opensslVerifies(spki, "rsa-sha256", DIGEST, reply?.payload ?? new Uint8Array()));
      const own = nicenessOf(server.pid)[0]!;
      const lower = nicenessOf(server.pid).filter((niceness) => niceness > own);
      assert.equal(lower.length, availableParallelism());
      assert.equal(await server.stop(), 0);
    });

    test("answers error 8 to what it cannot sign within --sign-timeout, and says why", async () => {
      const args = [...LOCAL, "--private-key-files", "rsa3072.key", "--sign-timeout", "150ms"];
      const server = await fixture.start(args, { program });
      const { ski } = fixture.publicKey("rsa3072.key");
      const client = await fixture.openRaw(server.port);
      const count = 400;
      for (let id = 0; id < count; id++) {
        client.send(id, { opcode: RSA_SHA256, ski, payload: DIGEST });
      }
      const opcodes = new Set<number | undefined>();
      for (let answers = 0; answers < count; answers++) {
        const operation = (await client.next())?.operation;
        opcodes.add(operation?.opcode);
        if (operation?.opcode === OP_ERROR) assert.deepEqual(operation.payload, Uint8Array.of(8));
      }
      assert.deepEqual(opcodes, new Set([OP_RESPONSE, OP_ERROR]));
      assert.equal(await server.stop(), 0);
      assert.match(server.stderr, /"shed":"(full|deadline)","reason":"[^"]* sign_timeout/);
    });
  });
}

/** Of every thread of a process, the first one's first (field 19 of /proc/PID/task/TID/stat). */
function nicenessOf(pid: number): readonly number[] {
  const tasks = readdirSync(`/proc/${pid}/task`).toSorted((a, b) => Number(a) - Number(b));
  return tasks.map((task) => {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, "utf8");
    return Number(stat.split(") ").at(-1)!.split(" ")[16]);
  });
}
