import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { addHelp } from "../help.ts";
import { hsmKeysCommand } from "./hsm_keys.ts";
import { hsmMechanismsCommand } from "./hsm_mechanisms.ts";
import { hsmSlotsCommand } from "./hsm_slots.ts";
import { hsmTestCommand } from "./hsm_test.ts";

/** `keyless hsm`: what PKCS#11 modules have, what it takes to serve keys from them. */
export function hsmCommand(): CommandUnknownOpts {
  const hsm = new Command("hsm").description("look at PKCS#11 tokens, their keys and their speed");
  hsm.addCommand(hsmSlotsCommand());
  hsm.addCommand(hsmKeysCommand());
  hsm.addCommand(hsmMechanismsCommand());
  hsm.addCommand(hsmTestCommand());
  addHelp(hsm, [
    { line: "keyless hsm slots", what: "tokens of the modules in the usual places" },
    {
      line: "keyless hsm keys 'pkcs11:token=prod?module-name=softhsm2' --pin-file pin",
      what: "the keys of a token, with a URI for each",
    },
  ]);
  return hsm;
}
