import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { addHelp } from "../help.ts";
import { keysListCommand } from "./keys_list.ts";
import { keysSkiCommand } from "./keys_ski.ts";

/** `keyless keys`: which keys there are, and what they are called in requests. */
export function keysCommand(): CommandUnknownOpts {
  const keys = new Command("keys").description("list keys, and compute their identifiers");
  keys.addCommand(keysListCommand());
  keys.addCommand(keysSkiCommand());
  addHelp(keys, [
    { line: "keyless keys list", what: "the keys that serve would use here" },
    {
      line: "keyless keys ski cert.pem",
      what: "the SKI by which a certificate's key is asked for",
    },
  ]);
  return keys;
}
