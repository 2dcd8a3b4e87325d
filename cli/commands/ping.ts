import process from "node:process";
import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { SCHEMES } from "../../src/crypto/scheme.ts";
import { EXIT } from "../../src/errors/table.ts";
import { addDevOptions, prepareDev } from "../dev_options.ts";
import { addHelp } from "../help.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { problemsOf } from "../failures.ts";
import { endWhenWritten, printDocument, printText, printWarning, reportError } from "../output.ts";
import type { TargetResult } from "../ping/check_target.ts";
import type { PingFlags } from "../ping/plan.ts";

/** `keyless ping`: whether key servers answer, how fast, and what stands in the way. */
export function pingCommand(): CommandUnknownOpts {
  const command: CommandUnknownOpts = new Command("ping")
    .description("ask key servers whether they answer, and how fast")
    .argument("[targets...]", "host[:port], [IPv6][:port] or unix:/path (port: 2407)")
    .option("--cert <file>", "the client's certificate, PEM")
    .option("--key <file>", "its private key, PEM")
    .option("--ca <file>", "the authorities that servers' certificates may come from, PEM")
    .option("--server-name <name>", "what servers' certificates must be for (default: the host)")
    .addOption(number("-c, --count <number>", "requests to each target", "4"))
    .addOption(number("-i, --interval <duration>", "from one request to the next", "1s"))
    .addOption(number("-W, --timeout <duration>", "for connecting, and for each answer", "5s"))
    .option("--wait <duration>", "try again until healthy, for so long (default: not at all)")
    .option("--min-healthy <number>", "so many targets are enough (default: all)")
    .addOption(
      new Option("--op <operation>", "what to ask for").choices(["ping", "sign"]).default("ping"),
    )
    .option("--public <file>", "sign: by the key of this certificate, request or public key")
    .option("--ski <hex>", "sign: by the key of this subject key identifier")
    .addOption(
      new Option("--scheme <scheme>", "sign: how (default: what suits the key)")
        .choices(SIGN_SCHEMES),
    )
    .option("--json", "print one JSON document at the end")
    .action((texts: string[]) => ping(texts, command.optsWithGlobals() as unknown as Flags));
  addDevOptions(command);
  addHelp(command, [
    { line: "keyless ping --dev", what: "the server of keyless serve --dev" },
    {
      line: "keyless ping keys.example.net --cert client.pem --key client-key.pem --ca ca.pem",
      what: "one server",
    },
    {
      line: "keyless ping a b c --cert c.pem --key k.pem --ca ca.pem --min-healthy 2 --wait 2m",
      what: "wait until two of three servers answer",
    },
    {
      line: "keyless ping --dev --op sign --public keyless-dev/keys/p256.pub -c 100 -i 0",
      what: "a hundred signatures, each verified",
    },
  ]);
  command.addHelpText("after", `\n${EXIT_RULE}`);
  return command;
}

type Flags = PingFlags & Readonly<Record<string, unknown>>;

async function ping(texts: readonly string[], flags: Flags): Promise<void> {
  const { readPlan } = await import("../ping/plan.ts");
  const { checkAll, exitCodeOfAll } = await import("../ping/check_all.ts");
  const { findHint } = await import("../ping/hints.ts");
  const report = await import("../ping/report.ts");
  const { findTrouble } = await import("../ping/trouble.ts");
  const plan = readPlan(texts, flags, await prepareDev(flags, "find"));
  const { targets, subject, minHealthy, timeoutMs } = plan;
  const interrupt = listenForInterrupt();
  const say = flags.json ? () => {} : printText;
  const results = await checkAll(targets, {
    subject,
    minHealthy,
    count: plan.count,
    intervalMs: plan.intervalMs,
    timeoutMs,
    waitMs: plan.waitMs,
    signal: interrupt.signal,
    onWait: (target, result) => say(report.waitLine(target, result)),
    observer: {
      connected: (target, result) => say(report.connectedText(target, result, subject)),
      answered: (target, sequence, elapsedMs) =>
        say(report.answerLine(target, sequence, elapsedMs, subject)),
      failed: (target, sequence, error) => say(report.failureLine(target, sequence, error)),
    },
  });
  const hintOptions = { timeoutMs, devDirectory: plan.devDirectory };
  const hints = await Promise.all(
    targets.map((target, at) => findHint(target, results[at]!, hintOptions)),
  );
  interrupt.end();
  const exitCode = exitCodeOfAll(results, minHealthy);
  process.exitCode = exitCode;
  const { errors, warnings } = findTrouble(plan, results, hints, {
    isTolerated: exitCode === EXIT.OK,
    isInterrupted: interrupt.signal.aborted,
  });
  if (flags.json) {
    const fields = report.pingDocument(plan, results, hints, exitCode);
    printDocument(fields, warnings, errors.flatMap(problemsOf));
  } else {
    printText(report.summaryText(targets, results, minHealthy));
    const debug = flags["debug"] === true;
    for (const error of errors) reportError(error, { command: NAME, debug });
    for (const warning of warnings) printWarning(NAME, warning);
  }
  if (results.some(isHeldByLookup)) endWhenWritten();
}

const NAME = "ping";
const EXIT_RULE = "Of several targets the highest code counts, unless --min-healthy are healthy.";
const SIGN_SCHEMES = Object.keys(SCHEMES).filter((scheme) => scheme !== "rsa-decrypt");

function isHeldByLookup({ failures, interrupted, phasesMs }: TargetResult): boolean {
  return failures.has("RESOLVE") || (interrupted !== undefined && phasesMs.resolve === undefined);
}

/** The plan reads the text. */
function number(flags: string, description: string, defaultText: string): Option {
  return new Option(flags, description).default(defaultText, defaultText);
}
