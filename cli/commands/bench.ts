import process from "node:process";
import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { EXIT } from "../../src/errors/table.ts";
import type { LoadFlags } from "../bench/plan.ts";
import { addReportFlags, type ReportFlags } from "../bench/report_flags.ts";
import { addDevOptions, prepareDev } from "../dev_options.ts";
import { problemsOf } from "../failures.ts";
import { addHelp } from "../help.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { printDocument, printText, reportError } from "../output.ts";
import { benchCompareCommand } from "./bench_compare.ts";
import { runtimeText, VERSION } from "../version.ts";

/** `keyless bench`: what load a key server takes, and how long its answers are under it. */
export function benchCommand(): CommandUnknownOpts {
  const command: CommandUnknownOpts = new Command("bench")
    .description("load a key server, and measure its rate and the latency of its answers")
    .argument("[target]", "host[:port], [IPv6][:port] or unix:/path (port: 2407)")
    .option("--cert <file>", "the client's certificate, PEM")
    .option("--key <file>", "its private key, PEM")
    .option("--ca <file>", "the authorities that the server's certificate may come from, PEM")
    .option("--server-name <name>", "what the server's certificate must be for (default: the host)")
    .addOption(number("--op <operations>", "what to ask for, with weights", "ping"))
    .option(
      "--public <file>",
      "sign with the key of this certificate or public key; repeatable",
      add,
    )
    .option("--ski <hex>", "sign with the key of this subject key identifier; repeatable", add)
    .addOption(number("--connections <number>", "TLS connections, over all threads", "16"))
    .option("--in-flight <number>", "outstanding requests of each (default: 4; 256 with --rate)")
    .option(
      "--rate <number>",
      "requests a second, whatever comes back (default: as fast as it goes)",
    )
    .option("--ramp <duration>", "climb to --rate for so long, before the warm-up")
    .addOption(number("--warmup <duration>", "load that is not measured yet", "1s"))
    .option("--duration <duration>", "how long to measure (default: 10s)")
    .option("--requests <number>", "measure so many requests instead")
    .addOption(number("--threads <number>", "client threads", "1"))
    .addOption(number("--verify-every <number>", "verify every nth answer; 0: none", "1000"))
    .addOption(number("-W, --timeout <duration>", "for connecting, and for the last answers", "5s"))
    .action((target: string | undefined) =>
      bench(target, command.optsWithGlobals() as unknown as Flags)
    );
  addReportFlags(command);
  addDevOptions(command);
  command.addCommand(benchCompareCommand());
  addHelp(command, [
    {
      line: "keyless bench --dev",
      what: "pings, as fast as the server of keyless serve --dev goes",
    },
    {
      line: "keyless bench --dev --op ecdsa-sha256:9,rsa-sha256:1 --connections 64",
      what: "nine ECDSA signatures for each RSA signature",
    },
    {
      line: "keyless bench --dev --op ecdsa-sha256 --rate 5000 --duration 1m",
      what: "latency at 5,000 signatures a second",
    },
  ]);
  return command;
}

type Flags = LoadFlags & ReportFlags & Readonly<Record<string, unknown>>;

async function bench(target: string | undefined, flags: Flags): Promise<void> {
  const { raiseLimits, readBenchPlan } = await import("../bench/plan.ts");
  const { planReports, writeReports } = await import("../bench/reports.ts");
  const { createLiveDisplay } = await import("../bench/live_display.ts");
  const { runBench } = await import("../../src/bench/run.ts");
  const plan = readBenchPlan(target, flags, await prepareDev(flags, "find"));
  raiseLimits(plan);
  const reports = planReports(flags, plan.operations.map(({ name }) => name));
  const { durationMs } = plan;
  const display = createLiveDisplay(process.stderr, durationMs && durationMs / 1_000);
  const interrupt = listenForInterrupt();
  const outcome = await runBench(plan, {
    signal: interrupt.signal,
    onSecond: display.update,
    tool: { version: VERSION, runtime: runtimeText() },
  }).finally(() => {
    display.clear();
    interrupt.end();
    plan.pems.key.fill(0);
  });
  const { MeasuredRun } = await import("../../src/bench/measured_run.ts");
  const { judge } = await import("../../src/bench/threshold.ts");
  const { thresholdError } = await import("../bench/verdicts.ts");
  const run = new MeasuredRun(outcome.result);
  const verdicts = judge(reports.thresholds, run);
  const failures = [...outcome.errors, thresholdError(verdicts) ?? []].flat();
  const unwritten = await writeReports(reports, run, verdicts, failures.flatMap(problemsOf));
  const errors = [...failures, ...unwritten];
  process.exitCode = Math.max(EXIT.OK, ...errors.map(({ exitCode }) => exitCode));
  if (flags.json === true) {
    return printDocument(outcome.result, [], errors.flatMap(problemsOf));
  }
  const { summaryText } = await import("../bench/summary.ts");
  printText(summaryText(run));
  for (const error of errors) reportError(error, { command: NAME, debug: flags["debug"] === true });
}

const NAME = "bench";

function add(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** The plan reads the text. */
function number(flags: string, description: string, defaultText: string): Option {
  return new Option(flags, description).default(defaultText, defaultText);
}
