import { hostname } from "node:os";
import { ROOT_CONTEXT, SpanKind, trace, TraceFlags } from "@opentelemetry/api";
import type { Context, Tracer as OtelTracer } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  defaultResource,
  detectResources,
  type Resource,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from "@opentelemetry/resources";
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  type IdGenerator,
  RandomIdGenerator,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Operation } from "../../protocol/operation.ts";
import { decodeSpan, SPAN_FLAGS, type SpanContext } from "../../protocol/span.ts";
import type { Log } from "../log.ts";
import type { RequestTimes } from "../request_times.ts";
import type { LoggedClient } from "../server_log.ts";
import { requestAttributes, requestName } from "./attributes.ts";
import { ExportWatch } from "./export_watch.ts";
import { RecordedSpan } from "./request_span.ts";
import type { RequestSpan, Tracer } from "./tracer.ts";
import { WallClock } from "./wall_clock.ts";
import { withoutQuery } from "./without_query.ts";

export interface OtlpTracerOptions {
  /** The collector's URL for traces. */
  readonly url: string;
  /** Of the requests without a parent: the share that is traced, from 0 to 1. */
  readonly sampleRate: number;
  readonly serviceVersion: string;
  readonly log: Log;
  readonly limits?: Partial<OtlpLimits>;
  readonly ids?: IdGenerator;
}

/** Spans, and milliseconds. */
export interface OtlpLimits {
  /** Spans that wait for the collector; more are lost. */
  readonly maxWaiting: number;
  /** Spans wait so long for others to travel with. */
  readonly batchMs: number;
  /** How long one batch may take, attempts after a failure included. */
  readonly exportMs: number;
  /** How long `stop` may take. */
  readonly stopMs: number;
  /** How long nothing may have been lost before the log says that all is well again. */
  readonly quietMs: number;
}

const OTLP_LIMITS: OtlpLimits = {
  maxWaiting: 8_192,
  batchMs: 2_000,
  exportMs: 10_000,
  stopMs: 1_000,
  quietMs: 10_000,
};

/**
 * Sends traces to an OpenTelemetry collector: OTLP over HTTP, as JSON.
 *
 * A request whose caller is traced is traced, one whose caller is not is not, and of the others a
 * share. Nothing is registered globally: two tracers in one process know nothing of each other.
 *
 * Of OpenTelemetry's variables these are read: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, and
 * OTEL_EXPORTER_OTLP_ and OTEL_EXPORTER_OTLP_TRACES_ with HEADERS, COMPRESSION, CERTIFICATE,
 * CLIENT_CERTIFICATE, CLIENT_KEY.
 */
export class OtlpTracer implements Tracer {
  readonly #limits: OtlpLimits;
  readonly #provider: TracerProvider;
  readonly #tracer: OtelTracer;
  readonly #watch: ExportWatch;
  readonly #sampler: TraceIdRatioBasedSampler;
  readonly #ids: IdGenerator;
  readonly #clock = new WallClock();
  #nextTraceId = "";
  #isStopped = false;

  constructor(options: OtlpTracerOptions) {
    const limits = this.#limits = { ...OTLP_LIMITS, ...options.limits };
    const { url, log, serviceVersion } = options;
    const exporter = new OTLPTraceExporter({ url, timeoutMillis: limits.exportMs });
    this.#watch = new ExportWatch(exporter, { log, collector: withoutQuery(url), ...limits });
    this.#sampler = new TraceIdRatioBasedSampler(options.sampleRate);
    const ids = this.#ids = options.ids ?? new RandomIdGenerator();
    this.#provider = new TracerProvider({
      resource: resourceOf(serviceVersion),
      sampler: new AlwaysOnSampler(), // `start` has decided by then
      spanProcessors: [
        new BatchSpanProcessor({
          exporter: this.#watch,
          maxQueueSize: limits.maxWaiting + MAX_SPANS_OF_REQUEST,
          maxExportBatchSize: Math.min(MAX_BATCH, limits.maxWaiting),
          scheduledDelayMillis: limits.batchMs,
          exportTimeoutMillis: limits.exportMs,
        }),
      ],
      idGenerator: {
        generateTraceId: () => this.#nextTraceId,
        generateSpanId: () => ids.generateSpanId(),
      },
    });
    this.#tracer = this.#provider.getTracer("keyless", serviceVersion);
  }

  start(
    times: RequestTimes,
    operation: Operation,
    client: LoggedClient,
  ): RequestSpan | undefined {
    const parent = operation.span === undefined ? undefined : decodeSpan(operation.span);
    if (this.#isStopped || !this.#isSampled(parent) || !this.#watch.hasRoom(1)) return undefined;
    const toWallTime = this.#clock.now();
    const span = this.#tracer.startSpan(requestName(operation), {
      kind: SpanKind.SERVER,
      startTime: toWallTime(times.receivedMs),
      attributes: requestAttributes(operation, client),
    }, contextOf(parent));
    return new RecordedSpan({
      span,
      parent,
      operation,
      tracer: this.#tracer,
      toWallTime,
      admit: (spans) => this.#watch.admit(spans),
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, this.#limits.stopMs));
    await Promise.race([this.#provider.shutdown().catch(() => {}), limit]);
    clearTimeout(timer);
    this.#watch.finish();
  }

  /** As the caller decided; without one, by a trace id that is drawn for the purpose. */
  #isSampled(parent: SpanContext | undefined): boolean {
    if (parent !== undefined) return (parent.flags & (SPAN_FLAGS.SAMPLED | SPAN_FLAGS.DEBUG)) !== 0;
    this.#nextTraceId = this.#ids.generateTraceId();
    const { decision } = this.#sampler.shouldSample(ROOT_CONTEXT, this.#nextTraceId);
    return decision === SamplingDecision.RECORD_AND_SAMPLED;
  }
}

/** A request's own span, and at most four steps. */
const MAX_SPANS_OF_REQUEST = 5;
const MAX_BATCH = 512;

function contextOf(parent: SpanContext | undefined): Context {
  if (parent === undefined) return ROOT_CONTEXT;
  const { traceId, spanId } = parent;
  const remote = { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
  return trace.setSpanContext(ROOT_CONTEXT, remote);
}

/** Who sends the spans; OpenTelemetry's variables win, as everywhere. */
function resourceOf(serviceVersion: string): Resource {
  const own = resourceFromAttributes({
    "service.name": "keyless",
    "service.version": serviceVersion,
    "host.name": hostname(),
  });
  const detectors = [resourceAttributesEnvDetector, serviceNameEnvDetector];
  return defaultResource().merge(own).merge(detectResources({ detectors }));
}
