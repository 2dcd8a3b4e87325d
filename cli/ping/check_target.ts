import { X509Certificate } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Connection } from "../../src/client/connection.ts";
import type { Credentials } from "../../src/client/credentials.ts";
import type { Handshake, Phase } from "../../src/client/dial.ts";
import { type Endpoint, endpointText } from "../../src/client/endpoint.ts";
import { ServerError } from "../../src/client/errors.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { type ErrorCode, EXIT, type ExitCode } from "../../src/errors/table.ts";
import type { Subject } from "./question.ts";

export interface Target {
  readonly endpoint: Endpoint;
  readonly credentials: Credentials;
  readonly serverName: string | undefined;
}

export interface CheckOptions {
  readonly subject: Subject;
  readonly count: number;
  /** From one request to the next. */
  readonly intervalMs: number;
  /** For connecting, and for each answer. */
  readonly timeoutMs: number;
  /** Ends the check early; what was measured until then is the result. */
  readonly signal: AbortSignal;
  readonly observer?: CheckObserver | undefined;
}

/** Is told of everything as it happens. */
export interface CheckObserver {
  /** After the first answer of a target, or the error in its place. */
  connected(target: Target, result: TargetResult): void;
  answered(target: Target, sequence: number, elapsedMs: number): void;
  failed(target: Target, sequence: number, error: KeylessError): void;
}

/** Errors of one kind, counted. */
export interface Failure {
  readonly error: KeylessError;
  count: number;
}

/** What is known of a target after a check. */
export interface TargetResult {
  handshake: Handshake | undefined;
  /** Of the first connection; undefined where it did not come to that. */
  readonly phasesMs: Partial<Record<Phase, number>>;
  sent: number;
  /** Answers, right ones and others. */
  received: number;
  /** Of the answers that were right, in their order. */
  readonly timesMs: number[];
  /** By code, and the code of the wire where there is one. */
  readonly failures: Map<string, Failure>;
  /** Where the signal ended the check before all was sent and answered: "while connecting". */
  interrupted: string | undefined;
}

/** A result that says nothing yet. */
export function emptyResult(): TargetResult {
  return {
    handshake: undefined,
    phasesMs: {},
    sent: 0,
    received: 0,
    timesMs: [],
    failures: new Map(),
    interrupted: undefined,
  };
}

/**
 * Asks a target `count` times over one connection, which is made again after a loss. A target that
 * cannot be reached before it has ever answered is not asked again.
 */
export async function checkTarget(target: Target, options: CheckOptions): Promise<TargetResult> {
  const { signal, observer } = options;
  const result = emptyResult();
  let connection: Connection | undefined;
  for (let sequence = 1; sequence <= options.count && !signal.aborted; sequence++) {
    const startMs = performance.now();
    const asked = await ask(connection, target, result, options);
    connection = asked.connection;
    if (asked.error?.code === "ABORTED") {
      result.interrupted = underWay(target, result, connection !== undefined);
      break;
    }
    result.sent++;
    if (asked.isAnswered) result.received++;
    if (asked.error === undefined) result.timesMs.push(asked.elapsedMs);
    else addFailure(result, asked.error);
    if (sequence === 1) observer?.connected(target, result);
    if (asked.error === undefined) observer?.answered(target, sequence, asked.elapsedMs);
    else observer?.failed(target, sequence, asked.error);
    if (asked.error && result.timesMs.length === 0 && isOutOfReach(asked.error.code)) break;
    if (sequence < options.count) {
      await pause(options.intervalMs - (performance.now() - startMs), signal);
    }
  }
  connection?.close();
  if (signal.aborted && result.sent < options.count) result.interrupted ??= BETWEEN_REQUESTS;
  return result;
}

/** Every request that was sent got its right answer, and there was at least one. */
export function isHealthy(result: TargetResult): boolean {
  return result.timesMs.length > 0 && result.failures.size === 0;
}

/** The highest exit code of what went wrong. */
export function exitCodeOf(result: TargetResult): ExitCode {
  if (isHealthy(result)) return EXIT.OK;
  let exit: ExitCode = EXIT.CHECK_FAILED;
  for (const { error } of result.failures.values()) {
    if (error.exitCode > exit) exit = error.exitCode;
  }
  return exit;
}

/** Whole days until a certificate ends; negative once it has. */
export function daysLeft(certificate: X509Certificate, now = Date.now()): number {
  return Math.floor((Date.parse(certificate.validTo) - now) / DAY_MS);
}

/** Waits, or less where the signal is aborted. */
export async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs > 0) await sleep(delayMs, undefined, { signal }).catch(() => {});
}

/** A check that was ended here has cut nothing off. */
export const BETWEEN_REQUESTS = "between two requests";

const DAY_MS = 86_400_000;

interface Asked {
  /** Undefined where it is not to be used again. */
  readonly connection: Connection | undefined;
  readonly isAnswered: boolean;
  readonly elapsedMs: number;
  readonly error: KeylessError | undefined;
}

async function ask(
  open: Connection | undefined,
  target: Target,
  result: TargetResult,
  options: CheckOptions,
): Promise<Asked> {
  let connection = open;
  let elapsedMs = 0;
  let isAnswered = false;
  try {
    connection ??= await connect(target, result, options);
    const question = options.subject.next();
    const startMs = performance.now();
    const reply = await connection.request(question.operation, options);
    elapsedMs = performance.now() - startMs;
    isAnswered = true;
    const fault = question.faultOf(reply);
    if (fault === undefined) return { connection, isAnswered, elapsedMs, error: undefined };
    const where = endpointText(target.endpoint);
    throw new KeylessError("CHECK_FAILED", `${where} answered wrongly: ${fault}`);
  } catch (thrown) {
    if (!(thrown instanceof KeylessError)) throw thrown;
    isAnswered ||= thrown instanceof ServerError;
    if (!connection?.isOpen) connection = undefined;
    return { connection, isAnswered, elapsedMs, error: thrown };
  }
}

async function connect(
  target: Target,
  result: TargetResult,
  options: CheckOptions,
): Promise<Connection> {
  const isFirst = result.handshake === undefined;
  const connection = await Connection.open({
    ...target,
    timeoutMs: options.timeoutMs,
    signal: options.signal,
    onPhase: (phase, elapsedMs) => {
      if (isFirst) result.phasesMs[phase] = elapsedMs;
    },
  });
  result.handshake ??= connection.handshake;
  return connection;
}

function underWay({ endpoint }: Target, result: TargetResult, isConnected: boolean): string {
  if (isConnected) return "while waiting for the answer";
  if (result.handshake !== undefined) return "while connecting again";
  const { resolve, connect } = result.phasesMs;
  if (endpoint.kind === "tcp" && resolve === undefined) return "while its name was looked up";
  return connect === undefined ? "while connecting" : "during the TLS handshake";
}

function addFailure({ failures }: TargetResult, error: KeylessError): void {
  const key = error instanceof ServerError ? `${error.code} ${error.wireCode}` : error.code;
  const known = failures.get(key);
  if (known === undefined) failures.set(key, { error, count: 1 });
  else known.count++;
}

function isOutOfReach(code: ErrorCode): boolean {
  return code === "RESOLVE" || code === "CONNECT" || code === "TLS_REFUSED";
}
