import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { ConnectionOptions } from "node:tls";
import { Authority } from "../../src/pki/authority.ts";
import { HttpMetrics } from "../../src/status/http_metrics.ts";
import { type HttpPort, openHttpPort } from "../../src/status/http_port.ts";
import { type HttpRequest, type Route, textReply } from "../../src/status/route.ts";
import { askHttp, type HttpAnswer } from "../support/http_client.ts";
import { MemoryLog } from "../support/memory_log.ts";
import { makeTempDir } from "../support/temp_dir.ts";
import { TestPki } from "../support/test_server.ts";

/** Says what is known of who asks. */
const WHO: Route = {
  path: "/who",
  method: "GET",
  reply: ({ peer }: HttpRequest) => textReply(200, peer.unproved ?? "proved"),
};

let pki: TestPki;
const opened: HttpPort[] = [];

before(async () => {
  pki = await TestPki.create();
});
after(() => {
  for (const port of opened) port.close();
});

async function open(asksForCertificate: boolean, host = "127.0.0.1"): Promise<number> {
  const port = await openHttpPort({
    address: { kind: "tcp", host, port: 0, tls: true },
    credentials: pki.credentials,
    asksForCertificate,
    routes: [WHO],
    notFound: () => "nothing",
    metrics: new HttpMetrics(),
    log: new MemoryLog(),
    flags: { port: "", bind: "", path: "" },
  });
  opened.push(port);
  return port.port ?? 0;
}

async function ask(port: number, tls: ConnectionOptions): Promise<HttpAnswer> {
  return await askHttp({ port, tls }, "GET /who");
}

describe("of a client that is asked for a certificate", () => {
  let port: number;
  before(async () => {
    port = await open(true);
  });

  test("a good one proves who it is", async () => {
    assert.equal((await ask(port, pki.client)).body, "proved\n");
  });

  test("none proves nothing, and the connection is served all the same", async () => {
    const { status, body } = await ask(port, { ca: pki.client.ca! });
    assert.deepEqual([status, body], [200, "no certificate was shown\n"]);
  });

  const day = 86_400_000;
  const refused: readonly [what: string, make: () => Promise<ConnectionOptions>][] = [
    ["another authority's", async () => pki.otherClient({}, await Authority.create("rogue"))],
    [
      "that of an authority which only has the same name",
      async () => pki.otherClient({}, await Authority.create("test authority")),
    ],
    ["an expired one", () =>
      pki.otherClient({
        notBefore: new Date(Date.now() - 2 * day),
        notAfter: new Date(Date.now() - day),
      })],
    ["one that is not valid yet", () =>
      pki.otherClient({
        notBefore: new Date(Date.now() + day),
        notAfter: new Date(Date.now() + 2 * day),
      })],
    ["one that is for servers alone", () => pki.otherClient({ usages: ["server"] })],
  ];
  for (const [what, make] of refused) {
    test(`${what} proves nothing`, async () => {
      const { body } = await ask(port, await make());
      assert.match(body, /^the certificate was not accepted \([A-Z_]+\)\n$/);
    });
  }

  for (const version of ["-tls1_2", "-tls1_3"]) {
    test(`an earlier session proves nothing without the certificate (openssl s_client ${version})`, async () => {
      const dir = makeTempDir();
      const session = dir.at("session");
      const files = [
        ...["-cert", dir.write("cert", String(pki.client.cert))],
        ...["-key", dir.write("key", String(pki.client.key))],
      ];
      const first = await sClient(port, [version, ...files, "-sess_out", session]);
      assert.match(first, /\nproved\n/);
      const resume = existsSync(session) ? ["-sess_in", session] : []; // Bun gives none in TLS 1.3
      const second = await sClient(port, [version, ...resume]);
      assert.match(second, /\n(no certificate was shown|the TLS session was resumed; .*)\n/);
      dir.remove();
    });
  }
});

describe("of a client that is not asked", () => {
  test("a certificate proves nothing", async () => {
    const { body } = await ask(await open(false), pki.client);
    assert.equal(body, "this port does not ask for certificates\n");
  });
});

/** What it prints when it asks by OpenSSL's own client. */
async function sClient(port: number, options: readonly string[]): Promise<string> {
  const child = spawn("openssl", [
    ...["s_client", "-connect", `127.0.0.1:${port}`, "-ign_eof", ...options],
  ]);
  let printed = "";
  child.stdout.on("data", (chunk) => printed += String(chunk));
  child.stdin.write("GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(child, "close");
  return printed;
}
