import process from "node:process";
import { measureRun, parseMeasure } from "../../src/bench/measure.ts";
import { MeasuredRun } from "../../src/bench/measured_run.ts";
import { parseResult } from "../../src/bench/result.ts";
import { resultOf } from "../../test/support/cli.ts";
import { PROGRAMS } from "../../test/support/running_server.ts";
import { publicFile } from "./key_sets.ts";
import type { Workplace } from "./processes.ts";
import type { MeasuredServer } from "./server.ts";
import type { BenchLoad, Figures } from "./types.ts";

/** A `keyless bench` that runs. */
export interface RunningLoad {
  /** What it measured, once it has ended. Rejects where it measured nothing. */
  readonly ended: Promise<LoadResult>;
  /** Ends it; what it has measured until then is its result. */
  stop(): void;
}

export interface LoadResult {
  readonly figures: Figures;
  /** When it measured, as `Date.now()` tells it. */
  readonly fromMs: number;
  readonly toMs: number;
  /** In the measured time. */
  readonly answered: number;
}

export function startLoad(
  workplace: Workplace,
  server: MeasuredServer,
  load: BenchLoad,
  seconds: { readonly warmup: number; readonly measured: number },
): RunningLoad {
  const times = ["--warmup", `${seconds.warmup}s`, "--duration", `${seconds.measured}s`];
  const [command = "", ...args] = benchArguments(server, load, [...times, "--json"]);
  const child = workplace.spawn(command, args);
  const ended = resultOf(child).then(({ code, stdout, stderr }) => {
    if (code === 0) return readResult(stdout, load);
    throw new Error(`keyless bench ended with exit code ${code}: ${stderr}`);
  });
  ended.catch(() => {}); // who waits for another load first is told later
  return { ended, stop: () => process.kill(child.pid!, "SIGINT") };
}

/** The command and its arguments. */
export function benchArguments(
  { directory, port }: Pick<MeasuredServer, "directory" | "port">,
  { op, keys = [], connections, inFlight, rate }: BenchLoad,
  more: readonly string[],
): readonly string[] {
  return [
    ...PROGRAMS.executable,
    ...["bench", `127.0.0.1:${port}`, "--dev", "--dev-dir", directory, "--op", op],
    ...["--connections", String(connections), "--in-flight", String(inFlight)],
    ...keys.flatMap((name) => ["--public", publicFile(directory, name)]),
    ...(rate === undefined ? [] : ["--rate", String(rate)]),
    ...more,
  ];
}

function readResult(text: string, { watched }: BenchLoad): LoadResult {
  const result = parseResult(text, "keyless bench --json");
  const run = new MeasuredRun(result);
  const measure = (name: string) =>
    measureRun(run, parseMeasure(watched === undefined ? name : `${watched}.${name}`)!);
  const fromMs = Date.parse(result.started);
  const answered = result.totals.ratePerSecond * result.elapsedMs / 1_000;
  const clientMs = result.client.threads.reduce((sum, { cpuShare }) => sum + (cpuShare ?? 0), 0) *
    result.elapsedMs;
  const figures = {
    ratePerSecond: measure("rate"),
    p50Ms: inMs(measure("p50")),
    p99Ms: inMs(measure("p99")),
    failedShare: measure("errors"),
    clientMicroseconds: clientMs * 1_000 / answered,
  };
  return { figures: defined(figures), fromMs, toMs: fromMs + result.elapsedMs, answered };
}

function inMs(nanoseconds: number | undefined): number | undefined {
  return nanoseconds === undefined ? undefined : nanoseconds / 1e6;
}

function defined(figures: Readonly<Record<string, number | undefined>>): Figures {
  return Object.fromEntries(
    Object.entries(figures).filter(([, value]) => value !== undefined && Number.isFinite(value)),
  );
}
