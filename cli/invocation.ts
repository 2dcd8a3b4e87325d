import { basename, join, relative, sep } from "node:path";
import process from "node:process";

/**
 * How this program was called, so that a line that it prints can be typed: "keyless" from the PATH,
 * "dist/keyless", "bun cli/main.ts", "deno run -A cli/main.ts".
 */
export function invocation(): string {
  const program = basename(process.execPath);
  const script = quoted(shown(process.argv[1] ?? ""));
  if (/^bun(?:\.exe)?$/.test(program)) return `bun ${script}`;
  if (program === "deno") return `deno run -A ${script}`;
  const directories = (process.env["PATH"] ?? "").split(":");
  if (directories.some((directory) => join(directory, program) === process.execPath)) {
    return program;
  }
  const path = shown(process.execPath);
  return quoted(path.includes(sep) ? path : `.${sep}${path}`);
}

/** A word as a shell takes it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** From here where that is short, else in full. */
function shown(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith("..") ? path : fromHere;
}
