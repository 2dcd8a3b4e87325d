import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { Authority, type IssueRequest } from "../../src/pki/authority.ts";
import { PROGRAM_NAMES, RunningServer } from "../support/running_server.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const DAY_MS = 86_400_000;
const daysFromNow = (days: number) => new Date(Date.now() + days * DAY_MS);

let directory: TempDir;

before(async () => {
  directory = makeTempDir();
  const authority = await Authority.create("the authority");
  const rogue = await Authority.create("the authority");
  directory.write("ca.pem", authority.certificatePem);
  const write = async (name: string, issuer: Authority, request: Partial<IssueRequest>) => {
    const issued = await issuer.issue({ commonName: name, usages: ["client"], ...request });
    directory.write(`${name}.pem`, issued.certificatePem);
    directory.write(`${name}-key.pem`, issued.keyPem);
  };
  await write("server", authority, { usages: ["server"], names: ["localhost"] });
  await write("good", authority, {});
  await write("rogue", rogue, {});
  await write("expired", authority, { notBefore: daysFromNow(-9), notAfter: daysFromNow(-1) });
  await write("future", authority, { notBefore: daysFromNow(1), notAfter: daysFromNow(9) });
});
after(() => directory.remove());

const SERVE = [
  ...["--bind", "127.0.0.1", "--port", "0", "--metrics-port", "off"],
  ...["--auth-cert", "server.pem", "--auth-key", "server-key.pem"],
  ...["--cloudflare-ca-cert", "ca.pem"],
];

/** A client's files, and what the log of the executable says of it; Deno does not tell. */
const REFUSED: readonly [string, string | undefined, RegExp][] = [
  ["no certificate", undefined, /it sent no client certificate/],
  ["a certificate of another authority of the same name", "rogue", /of another authority/],
  ["an expired certificate", "expired", /has expired/],
  ["a certificate that is not yet valid", "future", /not yet valid/],
  ["a server's certificate", "server", /not made for clients/],
];

for (const program of PROGRAM_NAMES) {
  for (const version of ["tls1_2", "tls1_3"]) {
    describe(`the ${program}, over ${version}, refuses a client`, () => {
      for (const [name, files, reason] of REFUSED) {
        test(`with ${name}, and serves a good one afterwards`, async () => {
          const server = await RunningServer.start(SERVE, { program, cwd: directory.path });
          assert.equal(await pings(server.port, files, version), false);
          const line = await server.event("refused");
          assert.match(String(line["address"]), /^127\.0\.0\.1:\d+$/);
          const told = program === "executable" || files === undefined;
          assert.match(String(line["reason"]), told ? reason : /left in the handshake/);
          assert.equal(await pings(server.port, "good", version), true);
          assert.equal(await server.stop(), 0);
        });
      }
    });
  }
}

/** Whether a ping that `openssl s_client` sends is answered. */
async function pings(port: number, files: string | undefined, version: string): Promise<boolean> {
  const own = files === undefined ? [] : ["-cert", `${files}.pem`, "-key", `${files}-key.pem`];
  const args = ["s_client", "-quiet", `-${version}`, "-CAfile", "ca.pem", ...own];
  const child = spawn("openssl", [...args, "-connect", `127.0.0.1:${port}`], {
    cwd: directory.path,
    stdio: ["pipe", "pipe", "ignore"],
  });
  let received = 0;
  child.stdout.on("data", (chunk: Uint8Array) => {
    received += chunk.length;
    if (received >= PACKET_BYTES) child.kill();
  });
  child.stdin.on("error", () => {});
  child.stdin.write(PING);
  await new Promise((resolve) => child.on("close", resolve));
  return received === PACKET_BYTES;
}

/** Version 1.0, four bytes of body, id 7: the opcode 0xf1. */
const PING = Uint8Array.of(1, 0, 0, 4, 0, 0, 0, 7, 0x11, 0, 1, 0xf1);
const PACKET_BYTES = 1_024;
