import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { decodeHistogram, type Histogram } from "../../src/bench/histogram.ts";
import type { BenchPlan } from "../../src/bench/plan.ts";
import type { BenchKey } from "../../src/bench/requests.ts";
import type { BenchResult } from "../../src/bench/result.ts";
import { runBench, type RunOutcome } from "../../src/bench/run.ts";
import { readCredentials } from "../../src/client/credentials.ts";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { OP_ERROR, OP_PING, OP_RESPONSE } from "../../src/protocol/opcodes.ts";
import { pemsOf } from "./client_fixture.ts";
import {
  echo,
  type FakePeer,
  type FakeServer,
  type Request,
  type Script,
  startFakeServer,
} from "./fake_server.ts";
import type { TestPki } from "./test_server.ts";

/** A short benchmark of pings against a loopback port. */
export function benchPlan(
  pki: TestPki,
  port: number,
  changes: Partial<BenchPlan> = {},
): BenchPlan {
  const { certificate, key, ca } = pemsOf(pki.client);
  const bytes = (pem: string | Uint8Array) => new Uint8Array(Buffer.from(pem));
  const pems = { certificate: bytes(certificate), key: bytes(key), ca: bytes(ca) };
  return {
    endpoint: { kind: "tcp", host: "127.0.0.1", port },
    serverName: undefined,
    credentials: readCredentials(pems),
    pems,
    operations: [{ name: "ping", weight: 1, keys: [] }],
    connections: 2,
    inFlight: 2,
    threads: 1,
    ratePerSecond: undefined,
    rampMs: 0,
    warmupMs: 0,
    durationMs: 300,
    requests: undefined,
    timeoutMs: 2_000,
    verifyEvery: 10,
    ...changes,
  };
}

/** Runs it to its end, or until the signal. */
export function run(
  plan: BenchPlan,
  signal: AbortSignal = new AbortController().signal,
): Promise<RunOutcome> {
  const tool = { version: "0.0.0", runtime: "a test" };
  return runBench(plan, { signal, onSecond: () => {}, tool });
}

export interface Bench extends RunOutcome {
  /** Closed already. */
  readonly server: FakeServer;
  /** Latencies of the first operation. */
  readonly latency: Histogram;
}

/** A run against a fake server, whose counts are checked, and what both have seen. */
export async function bench(
  pki: TestPki,
  script: Script,
  changes: Partial<BenchPlan> = {},
): Promise<Bench> {
  await using server = await startFakeServer(pki, script);
  const outcome = await run(benchPlan(pki, server.port, changes));
  assertAddsUp(outcome.result);
  return { ...outcome, server, latency: decodeHistogram(outcome.result.operations[0]!.latencyNs) };
}

export function assertAddsUp({ totals, operations }: BenchResult): void {
  const { sent, answered, wrong, errors, lost } = totals;
  assert.equal(sent, answered + wrong + errors + lost);
  for (const field of ["sent", "answered", "wrong", "lost", "dropped", "ratePerSecond"] as const) {
    const sum = operations.reduce((total, operation) => total + operation[field], 0);
    assert.equal(sum, totals[field], field);
  }
}

/** The requests that a server got, less the one of the probe. */
export function received({ peers }: FakeServer): number {
  return peers.reduce((sum, { requests }) => sum + requests.length, 0) - 1;
}

/** How many values are at least so long. */
export function countFrom(histogram: Histogram, milliseconds: number): number {
  let count = 0;
  for (let index = 0; index < histogram.countsArrayLength; index++) {
    if (histogram.valueFromIndex(index) >= milliseconds * 1e6) {
      count += histogram.getCountAtIndex(index);
    }
  }
  return count;
}

/** An Ed25519 key: what it signs is what it was sent. */
export function ed25519Key(): { readonly key: BenchKey; readonly privateKey: KeyObject } {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const spki = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
  const info = describePublicKey(spki);
  return { key: { label: "test.pub", ski: info.ski, info }, privateKey };
}

/** Signs with an Ed25519 key as a server does; pings are echoed. */
export function signer(privateKey: KeyObject): Script {
  return (request, peer) => {
    if (request.operation.opcode === OP_PING) return echo(request, peer);
    const payload = new Uint8Array(sign(undefined, request.operation.payload!, privateKey));
    peer.reply(request.id, { opcode: OP_RESPONSE, payload });
  };
}

export function refuse({ id }: Request, peer: FakePeer, wireCode: number): void {
  peer.reply(id, { opcode: OP_ERROR, payload: Uint8Array.of(wireCode) });
}
