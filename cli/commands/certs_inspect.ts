import process from "node:process";
import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { type Purpose, PURPOSES } from "../../src/crypto/purposes.ts";
import { formatOf } from "../certs/format_flag.ts";
import { INSPECT_FORMATS, type InspectFormat } from "../certs/inspect_formats.ts";
import { addSourceOptions } from "../certs/source_options.ts";
import type { FailedSource, ReadSource } from "../certs/sources.ts";
import { addHelp } from "../help.ts";
import { endWhenWritten } from "../output.ts";

/** `keyless certs inspect`: what certificates say, whether they fit together, what is wrong. */
export function certsInspectCommand(): CommandUnknownOpts {
  const command: CommandUnknownOpts = new Command("inspect")
    .description("show certificates: names, dates, SKI, key, usages, chain, and what is wrong")
    .argument("<sources...>", "files, directories, patterns, host:port, or - (see below)")
    .addOption(
      new Option("--format <format>", "how (default: text)").choices(INSPECT_FORMATS),
    )
    .option("--json", "the same as --format json")
    .option("--ca <file>", "verify the chain up to these authorities, by OpenSSL")
    .addOption(
      new Option("--purpose <purpose>", "with --ca: what the certificate is to be good for")
        .choices(PURPOSES).default("any"),
    )
    .action((sources: string[]) => inspectSources(sources, command.optsWithGlobals() as Flags));
  addSourceOptions(command);
  addHelp(command, [
    { line: "keyless certs inspect server.pem server.key", what: "and whether the key is its key" },
    {
      line: "keyless certs inspect --ca ca.pem --purpose server keys.example.com:2407",
      what: "what a key server presents, and whether its chain verifies",
    },
    { line: "keyless certs inspect --format short /etc/keyless", what: "a line for each" },
    {
      line: "keyless certs inspect --format pem --passphrase-file pass old.p12 > new.pem",
      what: "certificates of PKCS#12 as PEM",
    },
  ]);
  command.addHelpText("after", `\n${EXIT_RULE}`);
  return command;
}

const EXIT_RULE =
  `A source that cannot be read gives its exit code, of several the highest. Else 1 says that a
check failed: a certificate is not valid today, OpenSSL refuses a chain, or with --ca cannot be
asked, or a private key belongs to no certificate and no signing request among the sources.
Warnings alone give 0.

The verdict of --ca is that of openssl verify; a server's certificate must also be for the host, or
for --server-name. With --purpose server or client, an extended key usage of "any" is not accepted.`;

async function inspectSources(named: readonly string[], flags: Flags): Promise<void> {
  const { readSourceOptions } = await import("../certs/source_options.ts");
  const { readSources } = await import("../certs/sources.ts");
  const { readAuthorities } = await import("../certs/trust.ts");
  const { inspect } = await import("../certs/inspection.ts");
  const { reportInspection } = await import("../certs/inspect_report.ts");
  const { ca, purpose, debug } = flags;
  const format = formatOf(flags) ?? "text";
  const warnings: string[] = [];
  const sourceOptions = await readSourceOptions(flags, warnings);
  const { engine, passphrase } = sourceOptions;
  const read: ReadSource[] = [];
  const failed: FailedSource[] = [];
  try {
    const authorities = ca === undefined ? undefined : readAuthorities(ca, purpose, engine);
    for await (const result of readSources(named, sourceOptions)) {
      if ("error" in result) failed.push(result);
      else read.push(result);
    }
    const inspections = await inspect(read, authorities);
    const options = { format, debug: debug === true, warnings };
    process.exitCode = reportInspection(inspections, failed, options);
  } finally {
    passphrase?.fill(0);
  }
  if (failed.some(({ error }) => error.code === "RESOLVE")) endWhenWritten();
}

interface Flags extends Readonly<Record<string, unknown>> {
  readonly format?: InspectFormat;
  readonly json?: boolean;
  readonly ca?: string;
  readonly purpose: Purpose;
  readonly debug?: boolean;
}
