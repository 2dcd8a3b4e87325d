import assert from "node:assert/strict";
import { hostname } from "node:os";
import process from "node:process";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { WIRE_ERRORS } from "../../../src/protocol/errors.ts";
import { decodeSpan, encodeSpan } from "../../../src/protocol/span.ts";
import { RequestTimes } from "../../../src/telemetry/request_times.ts";
import { type CollectedSpan, extentOf, FakeCollector, valuesOf } from "../../support/collector.ts";
import { CLIENT, fixedIds, request, SIGN, timesOf, tracerFor } from "./traced.ts";

const TRACE_ID = "0123456789abcdef0011223344556677";
const SPAN_ID = "8899aabbccddeeff";
const SAMPLED = { traceId: TRACE_ID, spanId: SPAN_ID, parentId: "0".repeat(16), flags: 1 };

let collector: FakeCollector;

before(async () => {
  collector = await FakeCollector.start();
});

after(async () => {
  await collector.stop();
});

beforeEach(() => {
  collector.spans.length = 0;
  collector.exports.length = 0;
});

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** The only request that the collector has. */
async function onlyRequest(): Promise<CollectedSpan> {
  const [span, ...others] = await collector.requests(1);
  assert.ok(span !== undefined);
  assert.deepEqual(others, []);
  return span;
}

describe("the trace of a request", () => {
  test("has a span for the request, and in it one for each step, in their order", async () => {
    const { tracer } = tracerFor(collector.url);
    const startMs = Date.now();
    request(tracer);
    await tracer.stop();
    const whole = await onlyRequest();
    const steps = collector.childrenOf(whole);
    assert.deepEqual(steps.map(({ name }) => name), ["queue", "key lookup", "sign", "write"]);
    let last = extentOf(whole).start;
    for (const step of steps) {
      const { start, end } = extentOf(step);
      assert.equal(step.traceId, whole.traceId);
      assert.ok(start >= last && end >= start, step.name);
      last = end;
    }
    assert.equal(last, extentOf(whole).end);
    const apartMs = Number(extentOf(whole).start / 1_000_000n) - startMs;
    assert.ok(Math.abs(apartMs) < 1_000, `${apartMs} ms from the clock on the wall`);
  });

  test("takes as long as the request did", async () => {
    const { tracer } = tracerFor(collector.url);
    request(tracer);
    await tracer.stop();
    const whole = await onlyRequest();
    for (
      const [step, expectedMs] of [
        [whole, 5],
        ...collector.childrenOf(whole).map((step) => [step, 1] as const),
      ] as const
    ) {
      const { start, end } = extentOf(step);
      assert.ok(Math.abs(Number(end - start) / 1e6 - expectedMs) < 0.01, step.name);
    }
  });

  test("says who asked for what, by OpenTelemetry's names and ours", async () => {
    const { tracer } = tracerFor(collector.url);
    request(tracer, { ...SIGN, serverName: "www.example.com" });
    await tracer.stop();
    const whole = await onlyRequest();
    assert.equal(whole.name, "OpECDSASignSHA256");
    assert.deepEqual(valuesOf(whole), {
      "rpc.system.name": "keyless",
      "rpc.method": "OpECDSASignSHA256",
      "client.address": "192.0.2.1",
      "client.port": 41234,
      "keyless.client": "edge-1",
      "keyless.opcode": 0x15,
      "keyless.ski": "ab".repeat(20),
      "keyless.sni": "www.example.com",
    });
    assert.equal(whole.status.code, 0);
  });

  test("says who sent it", async () => {
    const { tracer } = tracerFor(collector.url);
    request(tracer);
    await tracer.stop();
    const { resource } = collector.exports[0]!;
    const { "service.name": name, "service.version": version, "host.name": host } =
      resource as Record<string, unknown>;
    assert.deepEqual({ name, version, host }, {
      name: "keyless",
      version: "1.2.3",
      host: hostname(),
    });
  });

  test("says how it failed", async () => {
    const { tracer } = tracerFor(collector.url);
    request(tracer, SIGN, WIRE_ERRORS.CRYPTOGRAPHY);
    await tracer.stop();
    const whole = await onlyRequest();
    const values = valuesOf(whole);
    assert.equal(values["error.type"], "cryptography error");
    assert.equal(values["keyless.error"], 1);
    assert.deepEqual(whole.status, { code: 2, message: "the reason" });
  });

  test("of a key that is not there has no step that signs", async () => {
    const { tracer } = tracerFor(collector.url);
    request(tracer, SIGN, WIRE_ERRORS.KEY_NOT_FOUND);
    await tracer.stop();
    const names = collector.childrenOf(await onlyRequest()).map(({ name }) => name);
    assert.deepEqual(names, ["queue", "key lookup", "write"]);
  });

  test("of a ping has no steps with a key", async () => {
    const { tracer } = tracerFor(collector.url);
    const nowMs = performance.now();
    const times = new RequestTimes(nowMs, nowMs);
    const span = tracer.start(times, { opcode: 0xf1 }, CLIENT);
    times.answeredMs = nowMs;
    span?.answered(WIRE_ERRORS.NONE);
    span?.end(times, nowMs);
    await tracer.stop();
    const whole = await onlyRequest();
    assert.equal(whole.name, "OpPing");
    assert.deepEqual(collector.childrenOf(whole).map(({ name }) => name), ["queue", "write"]);
  });

  test("ends where the connection was lost, and says so", async () => {
    const { tracer } = tracerFor(collector.url);
    const times = timesOf();
    times.answeredMs = 0;
    tracer.start(times, { ...SIGN, opcode: 0x01 }, CLIENT)?.end(times, undefined);
    await tracer.stop();
    const whole = await onlyRequest();
    const steps = collector.childrenOf(whole);
    assert.deepEqual(steps.map(({ name }) => name), ["queue", "key lookup", "decrypt"]);
    assert.equal(extentOf(steps[2]!).end, extentOf(whole).end);
    assert.equal(whole.status.code, 2);
    assert.match(whole.status.message ?? "", /connection was lost/);
  });

  test("shows hostile names harmless and short, and nothing of the payload", async () => {
    const { tracer } = tracerFor(collector.url);
    const serverName = `\u001b[31m\u202e${"x".repeat(65_000)}`;
    const times = timesOf();
    const operation = {
      ...SIGN,
      serverName,
      payload: text("secret digest"),
      ski: new Uint8Array(60_000),
    };
    const span = tracer.start(times, operation, { name: serverName, address: "unix:/a\nb" });
    span?.answered(WIRE_ERRORS.INTERNAL, serverName);
    span?.end(times, times.answeredMs);
    await tracer.stop();
    const whole = await onlyRequest();
    const values = valuesOf(whole);
    const shown = [values["keyless.sni"], values["keyless.client"], whole.status.message];
    for (const name of shown) {
      assert.match(String(name), /^\\u\{1b\}\[31m\\u\{202e\}x+…$/);
      assert.equal(String(name).length, 256);
    }
    assert.equal(values["client.address"], "unix:/a\\u{a}b");
    assert.equal(String(values["keyless.ski"]).length, 64);
    assert.doesNotMatch(JSON.stringify(whole), /secret|7365637265/);
  });
});

describe("the caller's span", () => {
  const forms: readonly [string, Uint8Array][] = [
    ["binary", encodeSpan(SAMPLED)],
    ["text", text(`${TRACE_ID}:${SPAN_ID}:0:1`)],
    ["binary of a trace that is debugged", encodeSpan({ ...SAMPLED, flags: 2 })],
  ];
  for (const [form, span] of forms) {
    test(`is the parent, whatever the sample rate: ${form}`, async () => {
      const { tracer } = tracerFor(collector.url, { sampleRate: 0 });
      request(tracer, { ...SIGN, span });
      await tracer.stop();
      const whole = await onlyRequest();
      assert.equal(whole.traceId, TRACE_ID);
      assert.equal(whole.parentSpanId, SPAN_ID);
    });
  }

  test("that is not sampled keeps its request from being traced", async () => {
    const { tracer } = tracerFor(collector.url);
    const span = encodeSpan({ ...SAMPLED, flags: 0 });
    assert.equal(request(tracer, { ...SIGN, span }), undefined);
    assert.equal(request(tracer, { ...SIGN, span: text(`${TRACE_ID}:${SPAN_ID}:0:0`) }), undefined);
    await tracer.stop();
    assert.deepEqual(collector.spans, []);
  });

  for (const span of [text("nonsense"), new Uint8Array(37), new Uint8Array(65_000).fill(1)]) {
    test(`that is broken is ignored: ${span.length} bytes`, async () => {
      const { tracer } = tracerFor(collector.url);
      request(tracer, { ...SIGN, span });
      await tracer.stop();
      assert.equal((await onlyRequest()).parentSpanId, undefined);
    });
  }

  test("goes on to others as the request's own span", async () => {
    const { tracer } = tracerFor(collector.url);
    const span = request(tracer, { ...SIGN, span: encodeSpan({ ...SAMPLED, flags: 3 }) });
    await tracer.stop();
    const whole = await onlyRequest();
    assert.deepEqual(decodeSpan(span!.carrier), {
      traceId: TRACE_ID,
      spanId: whole.spanId,
      parentId: SPAN_ID,
      flags: 3,
    });
  });

  test("of a request that has none is the first of its trace", async () => {
    const { tracer } = tracerFor(collector.url);
    const span = request(tracer);
    await tracer.stop();
    const { traceId, spanId } = await onlyRequest();
    assert.deepEqual(decodeSpan(span!.carrier), {
      traceId,
      spanId,
      parentId: "0".repeat(16),
      flags: 1,
    });
  });
});

describe("the sample rate", () => {
  const ids = Array.from({ length: 1_000 }, (_, i) => {
    const word = Math.floor((i + 0.5) / 1_000 * 0x1_0000_0000).toString(16).padStart(8, "0");
    return `${word}${"0".repeat(24)}`;
  });

  for (const [sampleRate, expected] of [[0, 0], [0.01, 10], [0.5, 500], [1, 1_000]] as const) {
    test(`${sampleRate} traces ${expected} of 1,000 requests with ids spread evenly`, async () => {
      const { tracer } = tracerFor(collector.url, { sampleRate, ids: fixedIds(ids) });
      const traced = ids.filter(() => request(tracer) !== undefined);
      await tracer.stop();
      assert.deepEqual(traced, ids.slice(0, expected));
      assert.deepEqual(
        new Set((await collector.requests(expected)).map(({ traceId }) => traceId)),
        new Set(traced),
      );
    });
  }
});

describe("two tracers", () => {
  test("in one process know nothing of each other", async () => {
    const other = await FakeCollector.start();
    const first = tracerFor(collector.url).tracer;
    const second = tracerFor(other.url).tracer;
    request(first);
    request(second, { opcode: 0xf1 });
    await Promise.all([first.stop(), second.stop()]);
    assert.equal((await onlyRequest()).name, "OpECDSASignSHA256");
    assert.deepEqual(other.spans.filter(({ kind }) => kind === 2).map(({ name }) => name), [
      "OpPing",
    ]);
    await other.stop();
  });
});

describe("OpenTelemetry's variables", () => {
  const names = [
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_TRACES_SAMPLER",
    "OTEL_SDK_DISABLED",
  ];

  afterEach(() => {
    for (const name of names) delete process.env[name];
  });

  test("give headers for the collector, the service's name and attributes of it", async () => {
    process.env["OTEL_EXPORTER_OTLP_HEADERS"] = "authorization=Bearer%20token-1,x-tenant=a";
    process.env["OTEL_SERVICE_NAME"] = "keys-eu";
    process.env["OTEL_RESOURCE_ATTRIBUTES"] = "deployment.environment.name=test";
    const { tracer, log } = tracerFor(collector.url);
    request(tracer);
    await tracer.stop();
    const [{ headers, resource } = { headers: {}, resource: {} }] = collector.exports;
    assert.equal(headers["authorization"], "Bearer token-1");
    assert.equal(headers["x-tenant"], "a");
    assert.equal((resource as Record<string, unknown>)["service.name"], "keys-eu");
    assert.equal(
      (resource as Record<string, unknown>)["deployment.environment.name"],
      "test",
    );
    assert.deepEqual(log.lines, []);
  });

  test("change neither where traces go, nor which", async () => {
    process.env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = "http://127.0.0.1:9/elsewhere";
    process.env["OTEL_TRACES_SAMPLER"] = "always_off";
    process.env["OTEL_SDK_DISABLED"] = "true";
    const { tracer } = tracerFor(collector.url);
    request(tracer);
    await tracer.stop();
    assert.equal((await onlyRequest()).name, "OpECDSASignSHA256");
  });
});
