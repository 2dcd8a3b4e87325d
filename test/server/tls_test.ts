import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { RawClient } from "../support/raw_client.ts";
import { startTestServer, TestPki, type TestServer } from "../support/test_server.ts";

const ON_DENO = "Deno" in globalThis;

let pki: TestPki;
let directory: string;
let server: TestServer;

before(async () => {
  pki = await TestPki.create();
  directory = mkdtempSync(join(tmpdir(), "keyless-tls-"));
  for (const field of ["cert", "key", "ca"] as const) {
    writeFileSync(join(directory, `${field}.pem`), String(pki.client[field]), { mode: 0o600 });
  }
});
after(() => rmSync(directory, { recursive: true }));

beforeEach(async () => {
  server = await startTestServer(pki);
});
afterEach(() => server.server.drain(0));

/** What `openssl s_client` prints of a connection; its input stays open until it has settled. */
function sClient(...options: readonly string[]): Promise<string> {
  const files = ["-cert", "cert.pem", "-key", "key.pem", "-CAfile", "ca.pem"];
  const target = ["-connect", `127.0.0.1:${server.port}`, "-servername", "localhost"];
  const child = spawn("openssl", ["s_client", ...target, ...files, ...options], { cwd: directory });
  let output = "";
  const take = (chunk: Uint8Array) => {
    output += new TextDecoder().decode(chunk);
    if (output.includes("Verify return code") && !child.stdin.writableEnded) child.stdin.end("Q\n");
  };
  child.stdin.on("error", () => {}); // it may have ended by itself
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  return new Promise((resolve) => child.on("close", () => resolve(output)));
}

test("TLS 1.2 and TLS 1.3 are spoken, TLS 1.1 is not", async () => {
  assert.match(await sClient("-tls1_2"), /New, TLSv1\.2, Cipher is ECDHE-ECDSA-AES256-GCM-SHA384/);
  assert.match(await sClient("-tls1_3"), /New, TLSv1\.3, Cipher is TLS_/);
  assert.match(await sClient("-tls1_1", "-cipher", "ALL@SECLEVEL=0"), /Cipher is \(NONE\)/);
});

test("of TLS 1.2 only the two suites of the reference are spoken (Deno ignores the list)", async () => {
  const output = await sClient("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256");
  const expected = ON_DENO ? /Cipher is ECDHE-ECDSA-AES128-GCM-SHA256/ : /Cipher is \(NONE\)/;
  assert.match(output, expected);
});

for (const version of ["-tls1_2", "-tls1_3"]) {
  test(`a session is not resumed over ${version.slice(1)}`, async () => {
    await sClient(version, "-sess_out", "session.pem");
    const output = await sClient(version, "-sess_in", "session.pem");
    if (ON_DENO) {
      const line = await server.log.event("refused");
      assert.match(String(line.fields["reason"]), /resumed a session/);
    } else {
      assert.match(output, /New, TLSv1/);
      assert.doesNotMatch(output, /Reused, TLSv1/);
    }
    const fresh = await RawClient.open({ ...pki.client, port: server.port });
    assert.equal((await fresh.ask(1, { opcode: 0xf1 }))?.opcode, 0xf2);
    fresh.socket.destroy();
  });
}
