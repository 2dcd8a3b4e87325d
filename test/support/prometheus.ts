import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { TempDir } from "./temp_dir.ts";

/** Why tests that need Prometheus are skipped; false where it is there. */
export const withoutPrometheus: string | false =
  spawnSync("promtool", ["--version"]).error === undefined
    ? false
    : "Prometheus is missing: apt-get install prometheus";

/** Where its example configuration, alerts and their tests stand. */
export const DEPLOY = fileURLToPath(new URL("../../deploy/prometheus/", import.meta.url));

/** What `promtool ARGS` says, run where the alerts stand; its exit code and all of its output. */
export function promtool(
  args: readonly string[],
  options: { readonly input?: string; readonly cwd?: string } = {},
): { readonly code: number | null; readonly output: string } {
  const { input = "", cwd = DEPLOY } = options;
  const { status, stdout, stderr } = spawnSync("promtool", args, { cwd, input, encoding: "utf8" });
  return { code: status, output: `${stdout}${stderr}` };
}

/** A value that a query gave. */
export interface QueriedSample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A Prometheus of the test's own, on a port of loopback that the system chooses. */
export class RunningPrometheus {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #url: string;

  private constructor(child: ChildProcess, ended: Promise<void>, url: string) {
    this.#child = child;
    this.#ended = ended;
    this.#url = url;
  }

  /** @param directory takes its configuration and its data */
  static async start(directory: TempDir, config: string): Promise<RunningPrometheus> {
    const child = spawn("prometheus", [
      `--config.file=${directory.write("prometheus.yaml", config)}`,
      `--storage.tsdb.path=${directory.at("data")}`,
      "--web.listen-address=127.0.0.1:0",
    ], { stdio: ["ignore", "ignore", "pipe"] });
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    let log = "";
    const address = await new Promise<string>((resolve, reject) => {
      child.stderr?.on("data", (chunk: Uint8Array) => {
        log += new TextDecoder().decode(chunk);
        const found = /msg="Listening on" address=(\S+)/.exec(log)?.[1];
        if (found !== undefined && log.includes("Server is ready")) resolve(found);
      });
      ended.then(() => reject(new Error(`prometheus ended:\n${log}`)));
    });
    return new RunningPrometheus(child, ended, `http://${address}`);
  }

  /**
   * What an expression is now; a scalar has no labels.
   *
   * @throws AssertionError where Prometheus says that it is none
   */
  async query(expression: string): Promise<QueriedSample[]> {
    const { resultType, result } = await this.#get(`query?${new URLSearchParams({
      query: expression,
    })}`);
    const samples = resultType === "vector" ? result : [{ metric: {}, value: result }];
    return samples.map((
      { metric, value }: { metric: QueriedSample["metric"]; value: string[] },
    ) => ({
      metric,
      value: Number(value[1]),
    }));
  }

  /** The targets that it scrapes. */
  async targets(): Promise<{ readonly health: string; readonly lastError: string }[]> {
    return (await this.#get("targets")).activeTargets;
  }

  /** The rules that it evaluates. */
  async rules(): Promise<
    { readonly name: string; readonly health: string; readonly lastError?: string }[]
  > {
    const { groups } = await this.#get("rules");
    return groups.flatMap(({ rules }: { rules: unknown[] }) => rules);
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL"); // its data goes with the test
    await this.#ended;
  }

  // deno-lint-ignore no-explicit-any
  async #get(path: string): Promise<any> {
    const response = await fetch(`${this.#url}/api/v1/${path}`);
    const { status, error, data } = await response.json();
    assert.equal(status, "success", `${path}: ${error}`);
    return data;
  }
}

/** Asks again and again until it passes; then, or after so long, gives what it was at last. */
export async function polled<T>(
  ask: () => Promise<T>,
  passes: (value: T) => boolean,
  deadlineMs: number,
): Promise<T> {
  const endMs = performance.now() + deadlineMs;
  while (true) {
    const value = await ask();
    if (passes(value) || performance.now() > endMs) return value;
    await delay(POLL_MS);
  }
}

const POLL_MS = 50;
