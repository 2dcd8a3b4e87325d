import { Buffer } from "node:buffer";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { PROGRAMS } from "./running_server.ts";

export interface CliOptions {
  /** Added to the test's own environment, of which no KEYLESS_ variable is handed on. */
  readonly env?: Readonly<Record<string, string>>;
  /** An empty directory where it is left out: no configuration is found by chance. */
  readonly cwd?: string;
  /** What stands on stdin; nothing where it is left out. */
  readonly input?: string | Uint8Array;
  /** A file that stdout goes to instead. */
  readonly stdout?: string;
}

export interface CliResult {
  /** The exit code; null where a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `keyless ARGS` to its end, under the runtime that runs the test. */
export async function runCli(
  args: readonly string[],
  options: CliOptions = {},
): Promise<CliResult> {
  return await runToEnd(spawnCli(args, options), options);
}

/** The same of the executable that is compiled. */
export async function runExecutable(
  args: readonly string[],
  options: CliOptions = {},
): Promise<CliResult> {
  return await runToEnd(start([...PROGRAMS.executable, ...args], options), options);
}

/** Starts `keyless ARGS` under the runtime that runs the test. The caller ends it. */
export function spawnCli(
  args: readonly string[],
  options: CliOptions = {},
): ChildProcessWithoutNullStreams {
  return spawnScript(new URL("../../cli/main.ts", import.meta.url), args, options);
}

/** Starts a script under the runtime that runs the test. The caller ends it. */
export function spawnScript(
  script: URL,
  args: readonly string[],
  options: CliOptions = {},
): ChildProcessWithoutNullStreams {
  const run = process.versions["deno"] ? ["run", "-A", "--no-check"] : [];
  return start([process.execPath, ...run, fileURLToPath(script), ...args], options);
}

/** What a process writes, and its exit code, once it has ended. */
export async function resultOf(child: ChildProcessWithoutNullStreams): Promise<CliResult> {
  const out: Uint8Array[] = [];
  const err: Uint8Array[] = [];
  child.stdout.on("data", (chunk: Uint8Array) => out.push(chunk));
  child.stderr.on("data", (chunk: Uint8Array) => err.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
}

function runToEnd(
  child: ChildProcessWithoutNullStreams,
  options: CliOptions,
): Promise<CliResult> {
  child.stdin.on("error", () => {}); // it may end without reading
  child.stdin.end(options.input ?? "");
  return resultOf(child);
}

function start(
  words: readonly [string, ...string[]],
  { env = {}, cwd = emptyDirectory(), stdout }: CliOptions,
): ChildProcessWithoutNullStreams {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("KEYLESS_"));
  const [command, ...args] = stdout === undefined
    ? words
    : ["sh", "-c", 'exec "$@" >"$0"', stdout, ...words] as const;
  return spawn(command, args, {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: "pipe",
  });
}

let empty: string | undefined;

function emptyDirectory(): string {
  if (empty === undefined) {
    const made = mkdtempSync(join(tmpdir(), "keyless-empty-"));
    process.once("exit", () => rmSync(made, { recursive: true, force: true }));
    empty = made;
  }
  return empty;
}
