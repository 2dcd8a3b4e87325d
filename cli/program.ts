import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { addHelp } from "./help.ts";
import { benchCommand } from "./commands/bench.ts";
import { certsCommand } from "./commands/certs.ts";
import { configCommand } from "./commands/config.ts";
import { serveCommand } from "./commands/serve.ts";
import { hsmCommand } from "./commands/hsm.ts";
import { keysCommand } from "./commands/keys.ts";
import { pkcs11ModuleCommand } from "./commands/pkcs11_module.ts";
import { pingCommand } from "./commands/ping.ts";
import { writeOut } from "./output.ts";
import { DESCRIPTION, versionText } from "./version.ts";

/** The commands, one file each. What is slow to load is imported inside their actions. */
const COMMANDS: readonly (() => CommandUnknownOpts)[] = [
  serveCommand,
  configCommand,
  keysCommand,
  hsmCommand,
  pingCommand,
  benchCommand,
  certsCommand,
];

/** The command line of `keyless`, ready to parse; parsing throws, it never ends the process. */
export function createProgram(): CommandUnknownOpts {
  const program = new Command("keyless")
    .description(DESCRIPTION)
    .version(versionText(), "-V, --version", "print the version and the runtime")
    .option("--debug", "show where an error was thrown")
    .exitOverride()
    .showSuggestionAfterError()
    // `reportError` writes the errors of every kind
    .configureOutput({ writeOut, outputError: () => {} });
  program.configureHelp({
    showGlobalOptions: true,
    visibleGlobalOptions: (command) => command.parent === null ? [] : [...program.options],
  });
  for (const create of COMMANDS) program.addCommand(inherit(create(), program));
  program.addCommand(inherit(pkcs11ModuleCommand(), program), { hidden: true });
  addHelp(program, [
    {
      line: "keyless serve --dev",
      what: "try it: throw-away keys and certificates, loopback alone",
    },
    { line: "keyless serve --config-file /etc/keyless/gokeyless.yaml", what: "serve real keys" },
    { line: "keyless config check", what: "find what is wrong before serving" },
  ]);
  return program;
}

/** `addCommand`, unlike `command`, does not hand on how errors and help are handled. */
function inherit(command: CommandUnknownOpts, parent: CommandUnknownOpts): CommandUnknownOpts {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, command);
  return command;
}
