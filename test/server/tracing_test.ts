import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { KeylessClient } from "../../src/client/client.ts";
import type { Keystore, RequestContext } from "../../src/keystore/keystore.ts";
import { encodeSpan } from "../../src/protocol/span.ts";
import type { Server } from "../../src/server/server.ts";
import { OtlpTracer } from "../../src/telemetry/tracing/otlp_tracer.ts";
import { pemsOf } from "../support/client_fixture.ts";
import { type CollectedSpan, extentOf, FakeCollector, valuesOf } from "../support/collector.ts";
import { MemoryLog } from "../support/memory_log.ts";
import { RawClient } from "../support/raw_client.ts";
import { EMPTY_STORE, startTestServer, storeOf, TestPki } from "../support/test_server.ts";

const SKI = new Uint8Array(20).fill(7);
const DIGEST = new Uint8Array(32).fill(9);
const PARENT = {
  traceId: "0123456789abcdef0011223344556677",
  spanId: "8899aabbccddeeff",
  parentId: "0".repeat(16),
  flags: 1,
};

let pki: TestPki;
let collector: FakeCollector;

before(async () => {
  pki = await TestPki.create();
  collector = await FakeCollector.start();
});

after(() => collector.stop());

beforeEach(() => {
  collector.spans.length = 0;
});

/** A traced server, and a client of it. */
class Traced {
  readonly tracer: OtlpTracer;
  readonly server: Server;
  readonly port: number;
  readonly client: KeylessClient;

  private constructor(tracer: OtlpTracer, server: Server, port: number) {
    this.tracer = tracer;
    this.server = server;
    this.port = port;
    this.client = new KeylessClient({ host: "127.0.0.1", port, ...pemsOf(pki.client) });
  }

  static async start(keystore: Keystore, sampleRate = 1): Promise<Traced> {
    const tracer = new OtlpTracer({
      url: collector.url,
      sampleRate,
      serviceVersion: "0",
      log: new MemoryLog(),
    });
    const { server, port } = await startTestServer(pki, { keystore, tracer });
    return new Traced(tracer, server, port);
  }

  /** Everything has been sent after that. */
  async stop(): Promise<void> {
    this.client.close();
    await this.server.drain(1_000);
    await this.tracer.stop();
  }
}

function requestsNamed(name: string): readonly CollectedSpan[] {
  return collector.spans.filter((span) => span.name === name);
}

describe("a traced server", () => {
  test("tells the steps of a request, as long as they took", async () => {
    const traced = await Traced.start(storeOf({
      sign: async (_scheme, bytes) => {
        await new Promise((resolve) => setTimeout(resolve, 30));
        return bytes;
      },
      decrypt: (block) => block,
    }));
    const startMs = performance.now();
    await traced.client.sign({ ski: SKI }, "ecdsa-sha256", DIGEST);
    const tookMs = performance.now() - startMs;
    await traced.stop();
    const [request, ...others] = requestsNamed("OpECDSASignSHA256");
    assert.ok(request !== undefined);
    assert.deepEqual(others, []);
    const steps = collector.childrenOf(request);
    assert.deepEqual(steps.map(({ name }) => name), ["queue", "key lookup", "sign", "write"]);
    const [outer, sign] = [extentOf(request), extentOf(steps[2]!)];
    for (const step of steps) {
      const { start, end } = extentOf(step);
      assert.ok(start >= outer.start && end >= start && end <= outer.end, step.name);
    }
    assert.ok(Number(sign.end - sign.start) > 25e6);
    assert.ok(Number(outer.end - outer.start) / 1e6 < tookMs + 1);
    assert.equal(valuesOf(request)["keyless.client"], "test client");
  });

  test("tells a request that failed, and with what reason", async () => {
    const traced = await Traced.start(EMPTY_STORE);
    await assert.rejects(traced.client.sign({ ski: SKI }, "ed25519", DIGEST));
    await traced.stop();
    const [request] = requestsNamed("OpEd25519Sign");
    assert.equal(valuesOf(request!)["keyless.error"], 2);
    assert.deepEqual(request?.status, { code: 2, message: "no such key is loaded" });
  });

  test("tells a request whose connection was cut before its answer", async () => {
    let answer = (_: Uint8Array) => {};
    const asked = Promise.withResolvers<RequestContext>();
    const traced = await Traced.start(storeOf({
      sign: (_scheme, _bytes, context) => {
        asked.resolve(context);
        return new Promise((resolve) => answer = resolve);
      },
      decrypt: (block) => block,
    }));
    const client = await RawClient.open({ ...pki.client, port: traced.port });
    client.send(1, { opcode: 0x15, ski: SKI, payload: DIGEST });
    const { signal } = await asked.promise;
    await traced.server.drain(0);
    if (!signal.aborted) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    }
    answer(DIGEST);
    await traced.stop();
    const [request] = requestsNamed("OpECDSASignSHA256");
    assert.match(request?.status.message ?? "", /connection was lost/);
  });

  test("that samples nothing hands the caller's own span on", async () => {
    const spans: unknown[] = [];
    const traced = await Traced.start({
      find: (_query, { span }) => void spans.push(span && [...span]),
    }, 0);
    const span = encodeSpan({ ...PARENT, flags: 0 });
    await traced.client.request({ opcode: 0x15, ski: SKI, span }).catch(() => {});
    await traced.client.request({ opcode: 0x15, ski: SKI }).catch(() => {});
    await traced.stop();
    assert.deepEqual(spans, [[...span], undefined]);
    assert.deepEqual(collector.spans, []);
  });

  test("serves a request with a broken span, and traces it as one without", async () => {
    const traced = await Traced.start(EMPTY_STORE);
    const payload = Uint8Array.of(1);
    const span = new Uint8Array(36).fill(0xff);
    assert.deepEqual(
      (await traced.client.request({ opcode: 0xf1, payload, span })).payload,
      payload,
    );
    await traced.stop();
    assert.equal(requestsNamed("OpPing")[0]?.parentSpanId, undefined);
  });
});

test("a request that is passed on to another server is one trace over both", async () => {
  const last = await Traced.start(
    storeOf({ sign: (_scheme, bytes) => bytes, decrypt: (block) => block }),
    0,
  );
  const first = await Traced.start(storeOf({
    sign: async (_scheme, payload, { span }) => {
      const answer = await last.client.request({ opcode: 0x15, ski: SKI, payload, span });
      return answer.payload!;
    },
    decrypt: (block) => block,
  }));
  const operation = { opcode: 0x15, ski: SKI, payload: DIGEST, span: encodeSpan(PARENT) };
  await first.client.request(operation);
  await first.stop();
  await last.stop();
  const requests = requestsNamed("OpECDSASignSHA256");
  assert.deepEqual(requests.map(({ traceId }) => traceId), [PARENT.traceId, PARENT.traceId]);
  const outer = requests.find(({ parentSpanId }) => parentSpanId === PARENT.spanId);
  const inner = requests.find((request) => request !== outer);
  assert.equal(inner?.parentSpanId, outer?.spanId);
  assert.ok(extentOf(inner!).start >= extentOf(outer!).start);
  assert.ok(extentOf(inner!).end <= extentOf(outer!).end);
});
