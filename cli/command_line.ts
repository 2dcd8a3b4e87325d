import type { CommandUnknownOpts } from "@commander-js/extra-typings";

export interface CommandLine {
  /** What was typed, with `-` for `_` in the names of long flags; values are as they were. */
  readonly args: readonly string[];
  /** The words of the command that is meant: "keys list"; empty for the program itself. */
  readonly command: string;
}

/**
 * Reads a command line far enough to know its command and which words are flags, so that
 * `--auth_cert` is taken for `--auth-cert`. Flags that nobody knows stay as they were typed, for
 * the error message, but for a value after `=`, which may be a secret. `help` before a word that is
 * no command is left out, so that the word is refused.
 */
export function readCommandLine(
  program: CommandUnknownOpts,
  typed: readonly string[],
): CommandLine {
  const path: CommandUnknownOpts[] = [program];
  const args: string[] = [];
  for (let index = 0; index < typed.length; index++) {
    const word = typed[index] ?? "";
    if (word === "--") {
      args.push(...typed.slice(index));
      break;
    }
    if (!word.startsWith("-")) {
      const commands = path.at(-1)?.commands ?? [];
      const command = commands.find((each) => isNamed(each, word));
      if (command !== undefined) path.push(command);
      const next = typed[index + 1];
      const isHelpOfNothing = word === "help" && commands.length > 0 && next !== undefined &&
        !next.startsWith("-") && !commands.some((each) => isNamed(each, next));
      if (!isHelpOfNothing) args.push(word);
      continue;
    }
    const flag = readFlag(path, word);
    args.push(flag.word);
    const value = flag.takesNextWord ? typed[++index] : undefined;
    if (value !== undefined) args.push(value);
  }
  return { args, command: path.slice(1).map((command) => command.name()).join(" ") };
}

function readFlag(
  path: readonly CommandUnknownOpts[],
  word: string,
): { readonly word: string; readonly takesNextWord: boolean } {
  const equals = word.indexOf("=");
  const name = equals < 0 ? word : word.slice(0, equals);
  const hyphenated = name.startsWith("--") ? name.replaceAll("_", "-") : name;
  const option = path.flatMap((command) => command.options)
    .find((each) => each.long === hyphenated || each.short === hyphenated);
  if (option === undefined) {
    return { word: name.startsWith("--") ? name : word, takesNextWord: false };
  }
  return {
    word: hyphenated + word.slice(name.length),
    takesNextWord: option.required && equals < 0,
  };
}

function isNamed(command: CommandUnknownOpts, word: string): boolean {
  return command.name() === word || command.aliases().includes(word);
}
