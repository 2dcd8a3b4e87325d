/**
 * What one server process does on this machine, beside the load that asks it: requests a second,
 * the server's CPU time for each, its memory. Run it on an idle machine, and compare the rows of one
 * run with each other.
 *
 *     bun scripts/bench_server.ts [--seconds 5] [--connections 16] [--in-flight 4] [--executable dist/keyless]
 */
import { Buffer } from "node:buffer";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { parseArgs } from "node:util";
import { OP_ERROR } from "../src/protocol/opcodes.ts";
import { decodeOperation, type Operation } from "../src/protocol/operation.ts";
import { Framer } from "../src/protocol/framer.ts";
import { encodePacket } from "../src/protocol/packet.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    connections: { type: "string", default: "16" },
    "in-flight": { type: "string", default: "4" },
    executable: { type: "string", default: "dist/keyless" },
  },
});
const seconds = Number(values.seconds);
const connections = Number(values.connections);
const inFlight = Number(values["in-flight"]);
const directory = mkdtempSync(join(tmpdir(), "keyless-bench-"));
const dev = join(directory, "dev");

const server = spawn(values.executable, [
  "serve",
  "--dev",
  "--dev-dir",
  dev,
  "--port",
  "0",
  "--log-format",
  "json",
], {
  stdio: ["ignore", "ignore", "pipe"],
});
const closed = new Promise((resolve) => server.once("close", resolve));
try {
  const port = await listeningPort();
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
    await load(port, operation, 0.5); // warm
    const cpuBefore = cpuMicroseconds();
    const { answers, elapsedSeconds } = await load(port, operation, seconds);
    const cpuEach = (cpuMicroseconds() - cpuBefore) / answers;
    const columns = [
      name.padEnd(12),
      (answers / elapsedSeconds).toFixed(0).padStart(13),
      `${cpuEach.toFixed(1)} us`.padStart(17),
      `${memoryMegabytes().toFixed(0)} MB`.padStart(15),
    ];
    console.log(columns.join(" "));
  }
} finally {
  server.kill("SIGTERM");
  await closed;
  rmSync(directory, { recursive: true });
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
          if (answers % 1_000 === 0 && decodeOperation(packet.body).opcode === OP_ERROR) {
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

function open(port: number): Promise<TLSSocket> {
  const file = (name: string) => readFileSync(join(dev, "tls", name));
  return new Promise((resolve, reject) => {
    const socket = connect({
      port,
      host: "127.0.0.1",
      cert: file("client.pem"),
      key: file("client-key.pem"),
      ca: file("ca.pem"),
    }, () => resolve(socket));
    socket.once("error", reject);
  });
}

/** The port is in the line that the server logs when it listens. */
function listeningPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    let output = "";
    server.stderr.on("data", (chunk: Uint8Array) => {
      output += new TextDecoder().decode(chunk);
      const line = output.split("\n").find((each) => each.includes('"event":"listening"'));
      if (line !== undefined) resolve(JSON.parse(line).port);
    });
    server.once("close", () => reject(new Error(`the server ended:\n${output}`)));
  });
}

function skiOf(name: string): Uint8Array {
  const file = join(dev, "keys", `${name}.key`);
  const { stdout } = spawnSync(values.executable, ["keys", "ski", file]);
  return new Uint8Array(Buffer.from(String(stdout).slice(0, 40), "hex"));
}

/** User and system time of the server so far, from /proc in ticks of 10 ms. */
function cpuMicroseconds(): number {
  const fields = readFileSync(`/proc/${server.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function memoryMegabytes(): number {
  const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
}
