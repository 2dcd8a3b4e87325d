/**
 * What a scrape of `dist/keyless serve` costs those who sign meanwhile: the server has met 1,000
 * clients' certificates, one connection signs with P-256 as fast as it can, one request at a time,
 * and curl asks for metrics. Beside it, the same with curl asking for nothing: what is in that row is
 * the machine's. Run it on an idle machine.
 *
 *     bun scripts/bench_scrape.ts [--clients 1000] [--scrapes 10]
 */
import { spawn, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fromHex } from "../src/bytes/hex.ts";
import { Authority, type Issued } from "../src/pki/authority.ts";
import { OP_ERROR, OP_PING } from "../src/protocol/opcodes.ts";
import type { Operation } from "../src/protocol/operation.ts";
import { RawClient } from "../test/support/raw_client.ts";
import { PROGRAMS, RunningServer } from "../test/support/running_server.ts";

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: "1000" },
    scrapes: { type: "string", default: "10" },
  },
});
const clients = Number(values.clients);
const scrapes = Number(values.scrapes);
const SECONDS_BETWEEN = 0.2;
/** Signatures that took longer are counted. */
const PAUSE_MS = 5;
const HEAD =
  "curl asks for            bytes   median  longest | signatures  median     p99   p99.9 longest  >5 ms";

const directory = mkdtempSync(join(tmpdir(), "keyless-bench-"));
try {
  await bench();
} finally {
  rmSync(directory, { recursive: true });
}

async function bench(): Promise<void> {
  const authority = await Authority.create("bench");
  const ski = await writeFiles(authority);
  const server = await RunningServer.start(
    ["--bind", "127.0.0.1", "--port", "0", "--status", "127.0.0.1:0", "--private-key-dirs", "keys"],
    { cwd: directory },
  );
  const signer = await openAs(await authority.issue(nameOfClient(0)), authority, server);
  for (let i = 1; i < clients; i++) {
    const client = await openAs(await authority.issue(nameOfClient(i)), authority, server);
    await client.ask(0, { opcode: OP_PING }); // it has been let in
    client.socket.destroy();
  }
  const status = (await server.event("status_listening"))["port"];
  const urls = {
    "nothing (a 404)": `http://127.0.0.1:${server.metricsPort}/nothing`,
    "/metrics": `http://127.0.0.1:${server.metricsPort}/metrics`,
    "/_metrics/prometheus": `https://127.0.0.1:${status}/_metrics/prometheus`,
    "/_metrics/json": `https://127.0.0.1:${status}/_metrics/json`,
    "/": `https://127.0.0.1:${status}/`,
  };
  const sign = { opcode: 0x15, payload: new Uint8Array(32), ski };
  await signUntil(signer, sign, new Promise((resolve) => setTimeout(resolve, 1_000)));
  console.log(`${clients} clients' certificates, ${scrapes} requests each, in ms`);
  console.log(HEAD);
  for (const [name, url] of Object.entries(urls)) {
    const curl = askAgainAndAgain(url);
    const signed = await signUntil(signer, sign, curl);
    const asked = await curl;
    console.log([
      name.padEnd(22),
      String(asked.at(-1)?.bytes).padStart(8),
      ...[0.5, 1].map((share) => quantile(asked.map(({ ms }) => ms), share).toFixed(1).padStart(9)),
      " |",
      String(signed.length).padStart(11),
      ...[0.5, 0.99, 0.999, 1].map((share) => quantile(signed, share).toFixed(2).padStart(8)),
      String(signed.filter((ms) => ms > PAUSE_MS).length).padStart(6),
    ].join(""));
  }
  signer.socket.destroy();
  await server.stop();
}

/** What the server finds under its default names. Returns the SKI of its key. */
async function writeFiles(authority: Authority): Promise<Uint8Array> {
  const names = ["localhost", "127.0.0.1"];
  const own = await authority.issue({ commonName: "server", usages: ["server"], names });
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = join(directory, "keys", "p256.key");
  mkdirSync(join(directory, "keys"));
  for (
    const [path, text] of [
      [join(directory, "keyless_cacert.pem"), authority.certificatePem],
      [join(directory, "server.pem"), own.certificatePem],
      [join(directory, "server-key.pem"), own.keyPem],
      [key, String(privateKey.export({ type: "pkcs8", format: "pem" }))],
    ] as const
  ) writeFileSync(path, text, { mode: 0o600 });
  const [command] = PROGRAMS.executable;
  return fromHex(String(spawnSync(command, ["keys", "ski", key]).stdout).slice(0, 40))!;
}

/** Six DNS names each: some 330 bytes of labels. */
function nameOfClient(index: number): Parameters<Authority["issue"]>[0] {
  const names = Array.from({ length: 6 }, (_, n) => `edge-${index}-${n}.example.com`);
  return { commonName: `edge ${index}`, usages: ["client"], names };
}

function openAs(
  { certificatePem, keyPem }: Issued,
  authority: Authority,
  { port }: RunningServer,
): Promise<RawClient> {
  return RawClient.open({
    port,
    cert: certificatePem,
    key: keyPem,
    ca: authority.certificatePem,
  });
}

/** How long each signature took, in milliseconds. */
async function signUntil(
  client: RawClient,
  operation: Operation,
  end: Promise<unknown>,
): Promise<number[]> {
  const durations: number[] = [];
  let isOver = false;
  void end.finally(() => isOver = true);
  for (let id = 0; !isOver; id++) {
    const begun = performance.now();
    const answer = await client.ask(id, operation);
    durations.push(performance.now() - begun);
    if (answer === undefined || answer.opcode === OP_ERROR) throw new Error("it did not sign");
  }
  return durations;
}

/** In processes of their own: the one that measures must not stop. */
function askAgainAndAgain(url: string): Promise<{ ms: number; bytes: number }[]> {
  const curl = `curl -sk -o /dev/null -w '%{time_total} %{size_download}\\n' ${url}`;
  const step = `${curl}; sleep ${SECONDS_BETWEEN}`;
  const loop = `i=0; while [ $i -lt ${scrapes} ]; do i=$((i+1)); ${step}; done`;
  const child = spawn("sh", ["-c", loop], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk) => text += chunk);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () =>
      resolve(
        text.trim().split("\n").map((line) => {
          const [seconds, bytes] = line.split(" ").map(Number);
          return { ms: seconds! * 1_000, bytes: bytes! };
        }),
      ));
  });
}

function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)] ?? 0;
}
