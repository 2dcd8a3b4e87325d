import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { encodePacket } from "../../src/protocol/packet.ts";
import { sampleValue, scrape } from "../support/metrics.ts";
import { RawClient } from "../support/raw_client.ts";
import { makeRsaServer, type RsaServer } from "../support/rsa_server.ts";
import { startTestServer, TestPki, type TestServer } from "../support/test_server.ts";

const ON_DENO = "Deno" in globalThis;

const PONG_TEXT = "a payload that comes back";
const PONG = new TextEncoder().encode(PONG_TEXT);

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

/** What `openssl s_client` prints of a connection that it sends a ping over, up to the answer. */
function sClient(...options: readonly string[]): Promise<string> {
  const files = ["-cert", "cert.pem", "-key", "key.pem", "-CAfile", "ca.pem"];
  const target = ["-connect", `127.0.0.1:${server.port}`, "-servername", "localhost"];
  const child = spawn("openssl", ["s_client", ...target, ...files, ...options], { cwd: directory });
  let output = "";
  const take = (chunk: Uint8Array) => {
    output += new TextDecoder("latin1").decode(chunk);
    if (isAnswered(output) && !child.stdin.writableEnded) child.stdin.end("Q\n");
  };
  child.stdin.on("error", () => {}); // it may have ended by itself
  child.stdin.write(encodePacket(1, { opcode: 0xf1, payload: PONG }));
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  return new Promise((resolve) => child.on("close", () => resolve(output)));
}

/** Whether the ping has come back: `s_client` does not show what it sends. */
function isAnswered(output: string): boolean {
  return output.includes(PONG_TEXT);
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

describe("a server with an RSA certificate", () => {
  let rsa: RsaServer;

  before(() => {
    rsa = makeRsaServer();
    writeFileSync(join(directory, "rsa-ca.pem"), rsa.ca);
  });
  beforeEach(async () => {
    await server.server.drain(0);
    const own = { certificate: Buffer.from(rsa.certificate), key: Buffer.from(rsa.key) };
    server = await startTestServer(pki, { credentials: { ...pki.credentials, ...own } });
  });

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    test(`answers over ${version}`, async () => {
      const trusted = { ...pki.client, ca: rsa.ca, port: server.port };
      const client = await RawClient.open({
        ...trusted,
        minVersion: version,
        maxVersion: version,
      });
      assert.equal(client.socket.getProtocol(), version);
      assert.equal((await client.ask(1, { opcode: 0xf1 }))?.opcode, 0xf2);
      client.socket.destroy();
    });
  }

  test("speaks its suite of the reference over TLS 1.2", async () => {
    const suite = "ECDHE-RSA-AES256-GCM-SHA384";
    const output = await sClient("-tls1_2", "-CAfile", "rsa-ca.pem", "-cipher", suite);
    assert.match(output, new RegExp(`New, TLSv1\\.2, Cipher is ${suite}`));
    assert.match(output, /Verify return code: 0 \(ok\)/);
  });

  test("speaks no suite without forward secrecy", async () => {
    const output = await sClient("-tls1_2", "-cipher", "AES256-GCM-SHA384:AES128-SHA");
    assert.match(output, /Cipher is \(NONE\)/);
  });
});

for (const version of ["tls1_2", "tls1_3"]) {
  test(`a session is not resumed over ${version}`, async () => {
    const session = `${version}.session`;
    // the pong comes after all that a server sends of its own accord when a handshake is done
    assert.ok(isAnswered(await sClient(`-${version}`, "-sess_out", session)));
    if (ON_DENO) {
      assert.ok(!isAnswered(await sClient(`-${version}`, "-sess_in", session)));
      const line = await server.log.event("refused");
      assert.match(String(line.fields["reason"]), /resumed a session/);
      const samples = await scrape(server.snapshot());
      assert.ok(sampleValue(samples, "keyless_failed_connection_total") > 0);
    } else if (existsSync(join(directory, session))) {
      const output = await sClient(`-${version}`, "-sess_in", session);
      assert.match(output, /New, TLSv1/);
      assert.doesNotMatch(output, /Reused, TLSv1/);
    } else { // it got nothing that it could resume
      assert.equal(version, "tls1_3");
    }
    const fresh = await RawClient.open({ ...pki.client, port: server.port });
    assert.equal((await fresh.ask(1, { opcode: 0xf1 }))?.opcode, 0xf2);
    fresh.socket.destroy();
  });
}
