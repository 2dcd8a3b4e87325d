import { cpus } from "node:os";
import process from "node:process";
import { endpointText } from "../client/endpoint.ts";
import { KeylessError } from "../errors/errors.ts";
import { clientLimit } from "./bottleneck.ts";
import { runThreads } from "./run_threads.ts";
import { Collector } from "./collector.ts";
import { type BenchPlan, threadPlans } from "./plan.ts";
import { probe } from "./probe.ts";
import { createRequest } from "./requests.ts";
import { type BenchResult, SCHEMA } from "./result.ts";
import { SampleVerdicts } from "./samples.ts";
import type { LiveSecond } from "./second_sum.ts";

export interface RunOptions {
  /** Ends the run early; what was measured until then is the result. */
  readonly signal: AbortSignal;
  /** Told of each second as it is over. */
  readonly onSecond: (second: LiveSecond) => void;
  readonly tool: Pick<BenchResult["tool"], "version" | "runtime">;
}

export interface RunOutcome {
  readonly result: BenchResult;
  /** What ended it early, answers that were wrong, a run without a right one; else none. */
  readonly errors: readonly KeylessError[];
}

/**
 * Runs a benchmark: asks everything once, makes all connections, loads, and adds up.
 *
 * @throws KeylessError before there is a result: as `probe`, and as `runThreads`
 */
export async function runBench(plan: BenchPlan, options: RunOptions): Promise<RunOutcome> {
  const { signal } = options;
  const requests = plan.operations.map(({ name, keys }) =>
    name === "ping" ? [createRequest(name, undefined)] : keys.map((key) => createRequest(name, key))
  );
  await probe(plan, requests, signal);
  const names = plan.operations.map(({ name }) => name);
  const isOpen = plan.ratePerSecond !== undefined;
  const collector = new Collector(names, plan.threads, isOpen, options.onSecond);
  const verdicts = new SampleVerdicts(requests);
  let startMs = Date.now();
  const end = await runThreads(threadPlans(plan, requests), {
    begun: () => startMs = Date.now() + plan.rampMs + plan.warmupMs,
    connected: (connects) => collector.connected(connects),
    interval: (thread, interval) => {
      collector.interval(thread, interval);
      for (const sample of interval.samples) verdicts.look(sample);
      verdicts.skipped += interval.samplesSkipped;
    },
  }, signal);
  const counted = collector.result(verdicts);
  const { sent, late } = counted.totals;
  const result: BenchResult = {
    schema: SCHEMA,
    started: new Date(startMs).toISOString(),
    tool: { ...options.tool, ...machine() },
    targets: [endpointText(plan.endpoint)],
    options: optionsOf(plan),
    endedEarly: end?.message ?? (signal.aborted ? "interrupted" : null),
    ...counted,
    verification: { checked: verdicts.checked, skipped: verdicts.skipped },
    client: clientLimit({
      elapsedMs: counted.elapsedMs,
      threads: collector.threadShares(),
      pacing: isOpen ? { sent, late } : undefined,
    }),
  };
  const early = end === undefined ? [] : [new KeylessError(end.code, end.message)];
  const errors = [...early, ...wrongAnswers(plan, verdicts)];
  return { result, errors: errors.length === 0 ? nothingAnswered(result) : errors };
}

function wrongAnswers(plan: BenchPlan, { firstWrong, wrong, checked }: SampleVerdicts) {
  if (firstWrong === undefined) return [];
  const count = wrong.reduce((sum, each) => sum + each, 0);
  const name = plan.operations[firstWrong.operation]!.name;
  const key = firstWrong.key === undefined ? "" : ` with ${firstWrong.key}`;
  return [
    new KeylessError(
      "CHECK_FAILED",
      `${endpointText(plan.endpoint)} answered wrongly: ${count} of the ${checked} answers that ` +
        `were verified are wrong, the first of them to ${name}${key}`,
    ),
  ];
}

/** A run that was not cut short must have got something right. */
function nothingAnswered({ totals, endedEarly, ...result }: BenchResult): KeylessError[] {
  if (totals.answered > 0 || endedEarly !== null) return [];
  const none = `none of ${totals.sent} requests to ${result.targets[0]} was answered`;
  const [reply] = result.operations.flatMap(({ errors }) => errors);
  if (reply !== undefined) {
    const what = `${none} rightly: error ${reply.wireCode}: ${reply.text}`;
    return [new KeylessError("SERVER_ERROR", what)];
  }
  const [lost] = result.transportErrors;
  if (lost !== undefined) return [new KeylessError("CONNECTION_LOST", `${none}: ${lost.message}`)];
  return [new KeylessError("DEADLINE", `${none} in time`)];
}

function machine(): Pick<BenchResult["tool"], "platform" | "cpuModel" | "cores"> {
  const cores = cpus();
  return {
    platform: `${process.platform} ${process.arch}`,
    cpuModel: cores[0]?.model ?? "unknown",
    cores: cores.length,
  };
}

function optionsOf(plan: BenchPlan): BenchResult["options"] {
  return {
    operations: plan.operations.map(({ name, weight, keys }) => {
      return { name, weight, keys: keys.length };
    }),
    connections: plan.connections,
    inFlight: plan.inFlight,
    threads: plan.threads,
    mode: plan.ratePerSecond === undefined ? "closed" : "open",
    ratePerSecond: plan.ratePerSecond ?? null,
    rampMs: plan.rampMs,
    warmupMs: plan.warmupMs,
    durationMs: plan.durationMs ?? null,
    requests: plan.requests ?? null,
    timeoutMs: plan.timeoutMs,
    verifyEvery: plan.verifyEvery,
  };
}
