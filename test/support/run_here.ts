import { Buffer } from "node:buffer";
import process from "node:process";
import { prepareRun, run } from "../../cli/run.ts";
import type { CliResult } from "./cli.ts";

/**
 * Runs `keyless ARGS` in this process, which takes a tenth of the time of a new one: for commands
 * that end, and neither read standard input nor end the process. One at a time.
 *
 * @param cwd where it runs; the test's own directory where it is left out
 * @param env its KEYLESS_ variables
 */
export async function runHere(
  args: readonly string[],
  cwd = process.cwd(),
  env: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  const before = { cwd: process.cwd(), exitCode: process.exitCode, env: ownVariables() };
  const [stdout, stderr] = [capture(process.stdout), capture(process.stderr)];
  process.chdir(cwd);
  process.exitCode = 0;
  for (const name of Object.keys(before.env)) delete process.env[name];
  Object.assign(process.env, env);
  try {
    await run(prepareRun(args));
    return { code: Number(process.exitCode), stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    for (const name of Object.keys(ownVariables())) delete process.env[name];
    Object.assign(process.env, before.env);
    process.chdir(before.cwd);
    process.exitCode = before.exitCode ?? 0; // Bun keeps the code where it is set to undefined
    stdout.end();
    stderr.end();
  }
}

function ownVariables(): Record<string, string> {
  const entries = Object.entries(process.env).filter(([name]) => name.startsWith("KEYLESS_"));
  return Object.fromEntries(entries.map(([name, value]) => [name, value ?? ""]));
}

interface Capture {
  text(): string;
  end(): void;
}

/** Keeps what is written to a stream, which looks like a pipe meanwhile. */
function capture(stream: NodeJS.WriteStream): Capture {
  const chunks: Uint8Array[] = [];
  const { write, isTTY } = stream;
  stream.isTTY = false;
  stream.write = (chunk: string | Uint8Array, ...others: unknown[]) => {
    chunks.push(Buffer.from(chunk as string));
    const done = others.at(-1);
    if (typeof done === "function") queueMicrotask(() => done());
    return true;
  };
  return {
    text: () => Buffer.concat(chunks).toString(),
    end: () => Object.assign(stream, { write, isTTY }),
  };
}
