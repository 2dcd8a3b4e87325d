import type { IdGenerator } from "@opentelemetry/sdk-trace";
import type { Operation } from "../../../src/protocol/operation.ts";
import { WIRE_ERRORS, type WireError } from "../../../src/protocol/errors.ts";
import { RequestTimes } from "../../../src/telemetry/request_times.ts";
import { OtlpTracer, type OtlpTracerOptions } from "../../../src/telemetry/tracing/otlp_tracer.ts";
import type { RequestSpan, Tracer } from "../../../src/telemetry/tracing/tracer.ts";
import { MemoryLog } from "../../support/memory_log.ts";

export const CLIENT = { name: "edge-1", address: "192.0.2.1:41234" };
export const SIGN: Operation = { opcode: 0x15, ski: new Uint8Array(20).fill(0xab) };

/** Limits with which a test need not wait. */
export const QUICK = { batchMs: 5, exportMs: 10_000, quietMs: 0 };

/** A tracer of every request, without a word to anybody but the collector. */
export function tracerFor(
  url: string,
  options: Partial<OtlpTracerOptions> = {},
): { readonly tracer: OtlpTracer; readonly log: MemoryLog } {
  const log = new MemoryLog();
  const limits = { ...QUICK, ...options.limits };
  const tracer = new OtlpTracer({
    url,
    sampleRate: 1,
    serviceVersion: "1.2.3",
    log,
    ...options,
    limits,
  });
  return { tracer, log };
}

/** The times of a request that had each step, each a millisecond after the other. */
export function timesOf(receivedMs = performance.now() - 10): RequestTimes {
  const times = new RequestTimes(receivedMs, receivedMs + 1);
  times.lookupStartedMs = receivedMs + 2;
  times.lookupEndedMs = receivedMs + 3;
  times.answeredMs = receivedMs + 4;
  return times;
}

/** A request from its beginning to its end; its span, where it is traced. */
export function request(
  tracer: Tracer,
  operation: Operation = SIGN,
  error: WireError = WIRE_ERRORS.NONE,
): RequestSpan | undefined {
  const times = timesOf();
  const span = tracer.start(times, operation, CLIENT);
  span?.answered(error, error === WIRE_ERRORS.NONE ? undefined : "the reason");
  span?.end(times, times.answeredMs + 1);
  return span;
}

/** Trace ids that are given, spans that are counted. */
export function fixedIds(traceIds: Iterable<string>): IdGenerator {
  const ids = traceIds[Symbol.iterator]();
  let spans = 0;
  return {
    generateTraceId: () => ids.next().value ?? "f".repeat(32),
    generateSpanId: () => String(++spans).padStart(16, "0"),
  };
}
