import assert from "node:assert/strict";
import { connect as connectTcp } from "node:net";
import { before, describe, test } from "node:test";
import type { ConnectionOptions } from "node:tls";
import { Authority } from "../../src/pki/authority.ts";
import { RawClient } from "../support/raw_client.ts";
import { startTestServer, TestPki } from "../support/test_server.ts";

const ON_DENO = "Deno" in globalThis;
const DAY_MS = 86_400_000;
const PING = { opcode: 0xf1 };

let pki: TestPki;
let rogue: Authority;
before(async () => {
  pki = await TestPki.create();
  rogue = await Authority.create("test authority"); // the same name, another key
});

const daysFromNow = (days: number) => new Date(Date.now() + days * DAY_MS);

const REFUSED: readonly [string, () => Promise<ConnectionOptions>, RegExp][] = [
  [
    "without a certificate",
    () => Promise.resolve({ ca: pki.authority.certificatePem }),
    /it sent no client certificate/,
  ],
  [
    "with a certificate of another authority of the same name",
    () => pki.otherClient({}, rogue),
    /of another authority/,
  ],
  [
    "with an expired certificate",
    () => pki.otherClient({ notBefore: daysFromNow(-9), notAfter: daysFromNow(-1) }),
    /has expired/,
  ],
  [
    "with a certificate that is not yet valid",
    () => pki.otherClient({ notBefore: daysFromNow(1), notAfter: daysFromNow(9) }),
    /not yet valid/,
  ],
  [
    "with a server's certificate",
    () => pki.otherClient({ usages: ["server"] }),
    /not made for clients/,
  ],
];

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  describe(`over ${version} a client`, () => {
    for (const [name, options, reason] of REFUSED) {
      test(`${name} is refused, and the log says why`, async () => {
        const { server, port, log } = await startTestServer(pki);
        const tls = { ...await options(), port, minVersion: version, maxVersion: version };
        assert.equal(await askAsFarAsPossible(tls), "no answer");
        const line = await log.event("refused");
        assert.match(String(line.fields["address"]), /^127\.0\.0\.1:\d+$/);
        const expected = ON_DENO && !reason.source.includes("no client")
          ? /left in the handshake/
          : reason;
        assert.match(String(line.fields["reason"]), expected);
        await server.drain(0);
      });
    }

    test("with a certificate of the right authority, of no extended usage, is served", async () => {
      const { server, port } = await startTestServer(pki);
      const good = { ...await pki.otherClient({ usages: [] }), port };
      const versions = { minVersion: version, maxVersion: version };
      assert.equal(await askAsFarAsPossible({ ...good, ...versions }), "answered");
      await server.drain(0);
    });
  });
}

test("a peer that speaks no TLS is refused", async () => {
  const { server, port, log } = await startTestServer(pki);
  const socket = connectTcp(port, "127.0.0.1");
  socket.write("GET / HTTP/1.0\r\n\r\n");
  await new Promise((resolve) => socket.on("close", resolve).on("error", () => {}).resume());
  assert.match(String((await log.event("refused")).fields["reason"]), /this is a TLS port/);
  await server.drain(0);
});

test("a hundred strangers from one address cause one line", async () => {
  const { server, port, log } = await startTestServer(pki);
  for (let count = 0; count < 100; count++) {
    await askAsFarAsPossible({ ca: pki.authority.certificatePem, port });
  }
  await log.event("refused");
  assert.equal(log.lines.length, 1);
  await server.drain(0);
});

async function askAsFarAsPossible(options: ConnectionOptions): Promise<"answered" | "no answer"> {
  try {
    const client = await RawClient.open(options);
    const answer = await client.ask(1, PING);
    client.socket.destroy();
    return answer === undefined ? "no answer" : "answered";
  } catch {
    return "no answer";
  }
}
