import process from "node:process";
import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { type ExpiryFlags, FORMATS } from "../certs/expiry_flags.ts";
import { addSourceOptions } from "../certs/source_options.ts";
import { addHelp } from "../help.ts";
import { endWhenWritten } from "../output.ts";

/** `keyless certs expiry`: when certificates expire, for people, for Prometheus and for Nagios. */
export function certsExpiryCommand(): CommandUnknownOpts {
  const command: CommandUnknownOpts = new Command("expiry")
    .description("say when certificates expire: as metrics, as a table, or as a Nagios check")
    .argument("[sources...]", "files, directories, patterns, host:port, or - (see below)")
    .option(
      "-c, --config-file <file>",
      "also auth_cert and cloudflare_ca_cert of this gokeyless.yaml",
    )
    .addOption(
      new Option("--format <format>", "how (default: prometheus; table with --warn, --critical)")
        .choices(FORMATS),
    )
    .option("--json", "the same as --format json")
    .option("--textfile <file>", "write the metrics there, for node_exporter, and print no others")
    .option("--warn <left>", "WARNING where less is left: a duration, or a share like 20%")
    .option("--critical <left>", "CRITICAL where less is left, and where a certificate has expired")
    .action((sources: string[]) => expiry(sources, command.optsWithGlobals() as Flags));
  addSourceOptions(command);
  addHelp(command, [
    { line: "keyless certs expiry /etc/keyless", what: "the series that serve exposes, of files" },
    {
      line: "keyless certs expiry --format table example.com:443 '*.crt'",
      what: "what expires first, of a server and of files",
    },
    {
      line: "keyless certs expiry -c gokeyless.yaml --warn 30d --critical 7d",
      what: "a Nagios check of a key server's own certificates",
    },
    {
      line: "keyless certs expiry /etc/ssl/my --textfile /var/lib/node_exporter/certs.prom",
      what: "for node_exporter, from a timer",
    },
  ]);
  command.addHelpText("after", `\n${EXIT_RULE}\n\n${KEYS_RULE}`);
  return command;
}

const EXIT_RULE =
  `Those are the codes without --warn and --critical: that a certificate has expired is no error
then, and of several errors the highest code counts.

Exit codes with --warn or --critical, those of a Nagios check:
  0  OK        no certificate is due
  1  WARNING   one has less left than --warn
  2  CRITICAL  one has less left than --critical, or has expired
  3  UNKNOWN   a source cannot be read, the command line is wrong, or anything else is in the way
The first line of the output sums up.`;

const KEYS_RULE =
  `Files that are named one by one and hold something else, such as the keys among *.pem of a shell,
are passed over with a warning where another source has a certificate, and errors where none has.
What --config-file names must hold certificates.`;

type Flags = ExpiryFlags & Readonly<Record<string, unknown>>;

async function expiry(named: readonly string[], flags: Flags): Promise<void> {
  const { readPlan } = await import("../certs/expiry_plan.ts");
  const { readEntries } = await import("../certs/expiry_entries.ts");
  const { reportExpiry } = await import("../certs/expiry_report.ts");
  const { readSources } = await import("../certs/sources.ts");
  const { sources, configured, options, ...plan } = await readPlan(named, flags);
  const reading = await readEntries(readSources(sources, options, configured))
    .finally(() => options.passphrase?.fill(0));
  process.exitCode = await reportExpiry(reading, plan, Date.now());
  if (reading.failures.some(({ error }) => error.code === "RESOLVE")) endWhenWritten();
}
