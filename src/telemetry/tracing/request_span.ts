import { ROOT_CONTEXT, type Span, SpanStatusCode, trace } from "@opentelemetry/api";
import type { Tracer as OtelTracer } from "@opentelemetry/api";
import { WIRE_ERRORS, type WireError } from "../../protocol/errors.ts";
import { opcodeOf } from "../../protocol/opcodes.ts";
import type { Operation } from "../../protocol/operation.ts";
import { encodeSpan, NO_PARENT, SPAN_FLAGS, type SpanContext } from "../../protocol/span.ts";
import type { RequestTimes } from "../request_times.ts";
import { errorAttributes, statusOf } from "./attributes.ts";
import type { RequestSpan } from "./tracer.ts";
import type { ToWallTime } from "./wall_clock.ts";

/** Takes a request's spans when it is over: whether there is room for them. */
export type Admit = (spans: number) => boolean;

/** What a `RecordedSpan` is made of. */
export interface RecordedParts {
  /** Started already, so that it has its ids. */
  readonly span: Span;
  readonly parent: SpanContext | undefined;
  readonly operation: Operation;
  readonly tracer: OtelTracer;
  readonly toWallTime: ToWallTime;
  readonly admit: Admit;
}

/** The span of a request, and those of its steps, which are made from its times when it is over. */
export class RecordedSpan implements RequestSpan {
  readonly #parts: RecordedParts;
  #isKeyFound = true;

  constructor(parts: RecordedParts) {
    this.#parts = parts;
  }

  get carrier(): Uint8Array {
    const { span, parent } = this.#parts;
    const { traceId, spanId } = span.spanContext();
    const flags = (parent?.flags ?? 0) | SPAN_FLAGS.SAMPLED;
    return encodeSpan({ traceId, spanId, parentId: parent?.spanId ?? NO_PARENT, flags });
  }

  answered(error: WireError, reason?: string): void {
    const { span } = this.#parts;
    this.#isKeyFound = error !== WIRE_ERRORS.KEY_NOT_FOUND;
    span.setAttributes(errorAttributes(error));
    span.setStatus(statusOf(error, reason));
  }

  end(times: RequestTimes, writtenMs: number | undefined): void {
    const { span, toWallTime, tracer, admit } = this.#parts;
    const endMs = writtenMs ?? performance.now();
    const steps = this.#stepsUntil(endMs, times);
    if (!admit(steps.length + 1)) return;
    const inSpan = trace.setSpan(ROOT_CONTEXT, span);
    for (const { name, startMs, endMs } of steps) {
      tracer.startSpan(name, { startTime: toWallTime(startMs) }, inSpan).end(toWallTime(endMs));
    }
    if (writtenMs === undefined) span.setStatus(LOST);
    span.end(toWallTime(endMs));
  }

  /** The steps that it came to. One that had begun when the connection was lost ends there. */
  #stepsUntil(endMs: number, times: RequestTimes): Step[] {
    const { receivedMs, startedMs, lookupStartedMs, lookupEndedMs, answeredMs } = times;
    const { opcode } = this.#parts.operation;
    const use = opcode === undefined ? undefined : opcodeOf(opcode)?.kind;
    const steps = [
      { name: "queue", startMs: receivedMs, endMs: startedMs },
      { name: "key lookup", startMs: lookupStartedMs, endMs: lookupEndedMs },
      { name: use ?? "", startMs: this.#isKeyFound ? lookupEndedMs : 0, endMs: answeredMs },
      { name: "write", startMs: answeredMs, endMs },
    ];
    return steps.filter(({ startMs }) => startMs > 0)
      .map((step) => step.endMs > 0 ? step : { ...step, endMs });
  }
}

interface Step {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
}

const LOST = {
  code: SpanStatusCode.ERROR,
  message: "the connection was lost before the answer had left",
};
