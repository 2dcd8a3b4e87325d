import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Command } from "@commander-js/extra-typings";
import { readCommandLine } from "../../cli/command_line.ts";

describe("readCommandLine", () => {
  const program = new Command("keyless").option("--debug");
  const keys = new Command("keys");
  keys.addCommand(new Command("list").alias("ls").option("-c, --config-file <file>"));
  program.addCommand(keys);
  program.addCommand(new Command("ping").option("--op <name>").option("--dev_x [dir]"));

  for (
    const [typed, command] of [
      ["", ""],
      ["--debug", ""],
      ["keys", "keys"],
      ["keys list", "keys list"],
      ["keys ls", "keys list"],
      ["--debug keys list x y", "keys list"],
      ["list", ""],
      ["keys nope list", "keys list"],
      ["ping keys list", "ping"],
      ["nope", ""],
    ] as const
  ) {
    test(`finds the command of "${typed}": "${command}"`, () => {
      const words = typed.split(" ").filter((word) => word !== "");
      assert.equal(readCommandLine(program, words).command, command);
    });
  }

  for (
    const [typed, args] of [
      ["keys list --config_file a_b", "keys list --config-file a_b"],
      ["keys list --config_file=a_b", "keys list --config-file=a_b"],
      ["keys list --config-file --config_file", "keys list --config-file --config_file"],
      ["keys list -c --config_file x", "keys list -c --config_file x"],
      ["keys list --config_fil x", "keys list --config_fil x"],
      ["keys list --op_x", "keys list --op_x"],
      ["keys list -- --config_file x", "keys list -- --config_file x"],
      ["keys list --config-file", "keys list --config-file"],
      ["ping a_b --config_file", "ping a_b --config_file"],
      ["ping --opp=secret --op=x=y", "ping --opp --op=x=y"],
      ["keys list -c/a=b", "keys list -c/a=b"],
      ["help nope", "nope"],
      ["keys help nope", "keys nope"],
      ["help keys", "help keys"],
      ["keys help list", "keys help list"],
      ["help", "help"],
      ["ping help nope", "ping help nope"],
    ] as const
  ) {
    test(`makes "${args}" of "${typed}"`, () => {
      assert.equal(readCommandLine(program, typed.split(" ")).args.join(" "), args);
    });
  }
});
