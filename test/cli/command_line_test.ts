import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import fc from "fast-check";
import { readCommandLine } from "../../cli/command_line.ts";
import { createProgram } from "../../cli/program.ts";

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

describe("readCommandLine, of any words", () => {
  const program = createProgram();
  const commands = allCommands(program, []);
  const flags = commands.flatMap(({ command }) => command.options.map(({ long }) => long ?? ""));
  const names = commands.flatMap(({ words }) => words);
  const underscored = (flag: string) => `--${flag.slice(2).replaceAll("-", "_")}`;
  const word = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom("--", "-", "", "help", "--help", "-c", "--no_such_flag=a_b", ...names),
    fc.constantFrom(...flags),
    fc.constantFrom(...flags).map(underscored),
    fc.tuple(fc.constantFrom(...flags), fc.string()).map(([flag, value]) =>
      `${underscored(flag)}=${value}`
    ),
  );

  test("throws nothing, keeps their order, and changes nothing but long flags", () => {
    fc.assert(fc.property(fc.array(word, { maxLength: 12 }), (typed) => {
      const { args, command } = readCommandLine(program, typed);
      assert.ok(command === "" || commands.some(({ words }) => words.join(" ") === command));
      let at = 0;
      for (const each of args) {
        if (typed[at] === "help" && each !== "help") at++; // left out before what is no command
        assert.ok(isSame(typed[at] ?? "", each), `${JSON.stringify(typed[at])} became ${each}`);
        at++;
      }
      assert.equal(at, typed.length);
    }));
  });

  test("leaves the value of every flag of every command as it was typed", () => {
    const takers = commands.flatMap(({ words, command }) =>
      command.options.filter(({ required }) => required).map(({ long }) => ({ words, long: long! }))
    );
    assert.ok(takers.length > 50, `${takers.length} flags`);
    const value = fc.oneof(fc.string({ unit: "binary" }), word);
    fc.assert(fc.property(fc.constantFrom(...takers), value, ({ words, long }, given) => {
      const flag = underscored(long);
      for (
        const [typed, args] of [[[flag, given], [long, given]], [[`${flag}=${given}`], [
          `${long}=${given}`,
        ]]]
      ) {
        const read = readCommandLine(program, [...words, ...typed!]);
        assert.deepEqual(read, { args: [...words, ...args!], command: words.join(" ") });
      }
    }));
  });

  test("leaves all that follows -- as it was typed", () => {
    fc.assert(fc.property(fc.array(word), (typed) => {
      const { args } = readCommandLine(program, ["ping", "--", ...typed]);
      assert.deepEqual(args, ["ping", "--", ...typed]);
    }));
  });
});

interface Found {
  readonly words: readonly string[];
  readonly command: CommandUnknownOpts;
}

function allCommands(command: CommandUnknownOpts, words: readonly string[]): readonly Found[] {
  const below = command.commands.flatMap((each) => allCommands(each, [...words, each.name()]));
  return [{ words, command }, ...below];
}

/** A long flag may have changed `_` to `-` in its name, and lost a value if nobody knows it. */
function isSame(typed: string, read: string): boolean {
  if (typed === read) return true;
  const [name = "", ...value] = typed.split("=");
  const hyphenated = name.replaceAll("_", "-");
  return typed.startsWith("--") && [name, [hyphenated, ...value].join("=")].includes(read);
}
