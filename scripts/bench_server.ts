/**
 * What one server process, `dist/keyless serve`, does on this machine beside the load that asks it:
 * requests a second, CPU time of the server for each, memory, time to start. Run it on an idle
 * machine, and compare the rows of one run with each other.
 *
 *     bun scripts/bench_server.ts [--seconds 5] [--connections 16] [--in-flight 4]
 */
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { parseArgs } from "node:util";
import { fromHex } from "../src/bytes/hex.ts";
import { Framer } from "../src/protocol/framer.ts";
import { OP_ERROR } from "../src/protocol/opcodes.ts";
import { decodeOperation, type Operation } from "../src/protocol/operation.ts";
import { encodePacket } from "../src/protocol/packet.ts";
import { PROGRAMS, RunningServer } from "../test/support/running_server.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    connections: { type: "string", default: "16" },
    "in-flight": { type: "string", default: "4" },
  },
});
const seconds = Number(values.seconds);
const connections = Number(values.connections);
const inFlight = Number(values["in-flight"]);
const WARMUP_SECONDS = 0.5;
/** Decoding every answer would make the load the bottleneck. */
const ANSWERS_PER_LOOK = 100;

const directory = mkdtempSync(join(tmpdir(), "keyless-bench-"));
const dev = join(directory, "dev");
const serveDev = ["--dev", "--dev-dir", dev, "--port", "0"];
try {
  await (await RunningServer.start(serveDev)).stop(); // makes the keys of --dev
  for (const keys of [100, 10_000]) await benchStart(keys);
  await benchRequests();
} finally {
  rmSync(directory, { recursive: true });
}

/** With the keys of `--dev`, and a hundred more. */
async function benchRequests(): Promise<void> {
  const directories = `${join(dev, "keys")},${join(directory, "keys-100")}`;
  const server = await RunningServer.start([...serveDev, "--private-key-dirs", directories]);
  const digest = new Uint8Array(createHash("sha256").update("bench").digest());
  const operations: readonly [string, Operation][] = [
    ["ping", { opcode: 0xf1, payload: digest }],
    ["P-256", { opcode: 0x15, payload: digest, ski: skiOf("p256") }],
    ["Ed25519", { opcode: 0x18, payload: digest, ski: skiOf("ed25519") }],
    ["P-384", { opcode: 0x16, payload: new Uint8Array(48), ski: skiOf("p384") }],
    ["RSA-2048", { opcode: 0x05, payload: digest, ski: skiOf("rsa-2048") }],
  ];
  console.log(`${connections} connections x ${inFlight} outstanding, ${seconds} s each`);
  console.log("operation       per second   server CPU each   server memory");
  for (const [name, operation] of operations) {
    await load(server.port, operation, WARMUP_SECONDS);
    const cpuBefore = cpuMicroseconds(server.pid);
    const { answers, elapsedSeconds } = await load(server.port, operation, seconds);
    const cpuEach = (cpuMicroseconds(server.pid) - cpuBefore) / answers;
    console.log([
      name.padEnd(12),
      (answers / elapsedSeconds).toFixed(0).padStart(13),
      `${cpuEach.toFixed(1)} us`.padStart(17),
      `${memoryMegabytes(server.pid)} MB`.padStart(15),
    ].join(" "));
  }
  await server.stop();
}

/** From the start of the process to the line that it listens, and the memory that it has then. */
async function benchStart(keys: number): Promise<void> {
  const keyDirectory = join(directory, `keys-${keys}`);
  mkdirSync(keyDirectory);
  for (let index = 0; index < keys; index++) {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = privateKey.export({ type: "pkcs8", format: "pem" });
    writeFileSync(join(keyDirectory, `${index}.key`), pem, { mode: 0o600 });
  }
  const begun = performance.now();
  const server = await RunningServer.start([...serveDev, "--private-key-dirs", keyDirectory]);
  const startSeconds = (performance.now() - begun) / 1_000;
  const memory = memoryMegabytes(server.pid);
  console.log(`start with ${keys} P-256 key files: ${startSeconds.toFixed(2)} s, ${memory} MB`);
  await server.stop();
}

/** Keeps `inFlight` requests outstanding on every connection; an error reply ends the benchmark. */
async function load(port: number, operation: Operation, forSeconds: number) {
  const packets = Array.from({ length: inFlight }, (_, id) => encodePacket(id, operation));
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)));
  let answers = 0;
  const begun = performance.now();
  const until = begun + forSeconds * 1_000;
  await Promise.all(sockets.map((socket) =>
    new Promise<void>((resolve, reject) => {
      const framer = new Framer();
      let outstanding = inFlight;
      socket.on("error", reject);
      socket.on("close", resolve);
      socket.on("data", (chunk: Uint8Array) => {
        framer.push(chunk);
        const next: Uint8Array[] = [];
        for (let packet = framer.next(); packet !== undefined; packet = framer.next()) {
          if (answers % ANSWERS_PER_LOOK === 0 && isError(packet.body)) {
            reject(new Error("the server answered an error"));
          }
          answers += 1;
          outstanding -= 1;
          if (performance.now() >= until) continue;
          outstanding += 1;
          next.push(packets[packet.id]!);
        }
        if (next.length > 0) socket.write(Buffer.concat(next));
        if (outstanding === 0) socket.end();
      });
      socket.write(Buffer.concat(packets));
    })
  ));
  return { answers, elapsedSeconds: (performance.now() - begun) / 1_000 };
}

function isError(body: Uint8Array): boolean {
  return decodeOperation(body).opcode === OP_ERROR;
}

function open(port: number): Promise<TLSSocket> {
  const file = (name: string) => readFileSync(join(dev, "tls", name));
  const credentials = {
    cert: file("client.pem"),
    key: file("client-key.pem"),
    ca: file("ca.pem"),
  };
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", ...credentials }, () => resolve(socket));
    socket.once("error", reject);
  });
}

function skiOf(name: string): Uint8Array {
  const [command] = PROGRAMS.executable;
  const { stdout } = spawnSync(command, ["keys", "ski", join(dev, "keys", `${name}.key`)]);
  return fromHex(String(stdout).slice(0, 40))!;
}

/** User and system time of a process so far, from /proc in ticks of 10 ms. */
function cpuMicroseconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function memoryMegabytes(pid: number): string {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return (Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024).toFixed(0);
}
