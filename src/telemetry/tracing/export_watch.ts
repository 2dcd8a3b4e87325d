import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import { messageOf } from "../../errors/errors.ts";
import { printable } from "../../errors/printable.ts";
import { systemCode } from "../../errors/system.ts";
import type { Log } from "../log.ts";

export interface ExportWatchOptions {
  readonly log: Log;
  /** The collector, as the log names it. */
  readonly collector: string;
  /** Spans that may wait to be taken. */
  readonly maxWaiting: number;
  /** How long one batch may take. */
  readonly exportMs: number;
  /** How long nothing may have been lost before all is well again. */
  readonly quietMs: number;
}

/**
 * Watches over an exporter: bounds the spans that wait for it and the time that it takes, and tells
 * the log when spans begin to be lost, and when they are taken again.
 */
export class ExportWatch implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #options: ExportWatchOptions;
  #waiting = 0;
  #isLosing = false;
  #lastLossMs = 0;
  #lost = 0;

  constructor(exporter: SpanExporter, options: ExportWatchOptions) {
    this.#exporter = exporter;
    this.#options = options;
  }

  /** Whether more spans may wait; where not, these count as lost. */
  hasRoom(spans: number): boolean {
    if (this.#waiting < this.#options.maxWaiting) return true;
    this.#lose(spans, "the collector takes fewer spans than there are");
    return false;
  }

  /** Counts spans that are about to wait; false where there is no room, and they are lost. */
  admit(spans: number): boolean {
    if (!this.hasRoom(spans)) return false;
    this.#waiting += spans;
    return true;
  }

  export(spans: ReadableSpan[], settled: (result: ExportResult) => void): void {
    const { exportMs } = this.#options;
    let isSettled = false;
    const settle = (result: ExportResult) => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      this.#waiting -= spans.length;
      if (result.code === ExportResultCode.SUCCESS) this.#succeed();
      else this.#lose(spans.length, reasonOf(result.error));
      settled(result);
    };
    // the exporter's own limit begins anew with each byte that a collector answers
    const timer = setTimeout(
      () => settle(failure(`it takes longer than ${exportMs / 1_000} s`)),
      exportMs,
    );
    this.#exporter.export(spans, settle);
  }

  forceFlush(): Promise<void> {
    return this.#exporter.forceFlush?.() ?? Promise.resolve();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  /** What was lost since the last line, for the end; spans that still wait are lost then. */
  finish(): void {
    const lost = this.#lost + this.#waiting;
    const { log, collector } = this.#options;
    if (lost > 0) log.warn({ event: "traces_lost", collector, lost }, "spans were lost");
    this.#lost = 0;
    this.#waiting = 0;
  }

  #lose(spans: number, reason: string): void {
    this.#lost += spans;
    this.#lastLossMs = performance.now();
    if (this.#isLosing) return;
    this.#isLosing = true;
    const { log, collector } = this.#options;
    log.warn({ event: "traces_failing", collector, reason }, "traces cannot be exported");
  }

  #succeed(): void {
    const { log, collector, quietMs } = this.#options;
    if (!this.#isLosing || performance.now() - this.#lastLossMs < quietMs) return;
    const fields = { event: "traces_resumed", collector, lost: this.#lost };
    log.info(fields, "traces are exported again");
    this.#isLosing = false;
    this.#lost = 0;
  }
}

function failure(reason: string): ExportResult {
  return { code: ExportResultCode.FAILED, error: new Error(reason) };
}

/** An exporter's error in words. Its response body is left out: it is the collector's, and long. */
function reasonOf(error: Error | undefined): string {
  const code = systemCode(error) ?? httpStatus(error);
  const message = error === undefined ? "" : messageOf(error);
  const reason = code === undefined || message.includes(code) ? message : `${code} ${message}`;
  return printable(reason.trim() || "no reason given", MAX_REASON_LENGTH);
}

function httpStatus(error: Error | undefined): string | undefined {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === "number" ? `HTTP ${code}` : undefined;
}

const MAX_REASON_LENGTH = 256;
