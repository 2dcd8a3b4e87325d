import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { addHelp } from "../help.ts";
import { certsExpiryCommand } from "./certs_expiry.ts";
import { certsInspectCommand } from "./certs_inspect.ts";

/** `keyless certs`: what certificates say, and when they end. */
export function certsCommand(): CommandUnknownOpts {
  const certs = new Command("certs").description("show certificates, and watch when they expire");
  certs.addCommand(certsInspectCommand());
  certs.addCommand(certsExpiryCommand());
  addHelp(certs, [
    { line: "keyless certs inspect server.pem", what: "all that a file says, and what is wrong" },
    { line: "keyless certs expiry --warn 30d --critical 7d *.pem", what: "a Nagios check" },
  ]);
  return certs;
}
