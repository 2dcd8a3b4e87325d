import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import process from "node:process";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The program as users run it: the executable that Bun compiled, and the sources on Deno. */
export const PROGRAMS = {
  executable: [`${ROOT}dist/keyless`],
  deno: [`${ROOT}node_modules/.bin/deno`, "run", "-A", "--no-check", `${ROOT}cli/main.ts`],
  denoWithoutFfi: [
    ...[`${ROOT}node_modules/.bin/deno`, "run", "-A", "--deny-ffi", "--no-check"],
    `${ROOT}cli/main.ts`,
  ],
} as const;

/** Two servers at once would meet on the default port. */
const METRICS = ["--metrics-bind", "127.0.0.1", "--metrics-port", "0"];

export type Program = keyof typeof PROGRAMS;
export const PROGRAM_NAMES = ["executable", "deno"] as const satisfies readonly Program[];

/** A line of the JSON log. */
export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface RunOptions {
  readonly program?: Program;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Shell commands to run first, in the same process: "ulimit -n 100". */
  readonly before?: string;
  /** A command that starts it in another environment: ["unshare", "-m"]. */
  readonly within?: readonly string[];
}

/** A `keyless serve` with a JSON log, whose lines a test can wait for. */
export class RunningServer {
  readonly lines: LogLine[] = [];
  stdout = "";
  stderr = "";
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();
  #isOver = false;

  constructor(args: readonly string[], options: RunOptions = {}) {
    const program = PROGRAMS[options.program ?? "executable"];
    const shell = options.before === undefined
      ? []
      : ["sh", "-c", `${options.before}; exec "$0" "$@"`];
    const [command = "", ...first] = [...options.within ?? [], ...shell, ...program];
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("KEYLESS_"));
    const metrics = args.some((word) => word.startsWith("--metrics-port")) ? [] : METRICS;
    this.#child = spawn(command, [...first, "serve", "--log-format", "json", ...metrics, ...args], {
      cwd: options.cwd,
      env: { ...Object.fromEntries(inherited), ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout?.on("data", (chunk) => {
      this.stdout += String(chunk);
      this.#wake();
    });
    this.#child.stderr?.on("data", (chunk) => this.#read(String(chunk)));
    this.ended = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => {
        this.#isOver = true;
        this.#wake();
        resolve(code ?? signal ?? "unknown");
      });
    });
  }

  /** Starts one and waits until it listens. */
  static async start(args: readonly string[], options?: RunOptions): Promise<RunningServer> {
    const server = new RunningServer(args, options);
    await server.event("listening");
    return server;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The TCP port that it listens on. */
  get port(): number {
    return Number(this.lines.find(({ event }) => event === "listening")?.["port"]);
  }

  /** The TCP port of /metrics. */
  get metricsPort(): number {
    return Number(this.lines.find(({ event }) => event === "metrics_listening")?.["port"]);
  }

  /** The first line of an event that passes, past or to come; rejects when the server ends before. */
  async event(name: string, passes: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    while (true) {
      const line = this.lines.find((each) => each.event === name && passes(each));
      if (line !== undefined) return line;
      if (this.#isOver) throw new Error(`it ended without "${name}":\n${this.stderr}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** What stands on stdout once it matches. */
  async printed(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.stdout)) {
      if (this.#isOver) throw new Error(`it ended without printing ${pattern}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    return this.stdout;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it as an operator would. */
  async stop(): Promise<number | string> {
    this.signal("SIGTERM");
    return await this.ended;
  }

  /** Ends it however it is, for the end of a test that may have failed. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  #read(text: string): void {
    this.stderr += text;
    const whole = this.stderr.slice(0, this.stderr.lastIndexOf("\n") + 1);
    const lines = whole.split("\n").filter((line) => line.startsWith("{"));
    for (const line of lines.slice(this.lines.length)) this.lines.push(JSON.parse(line));
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
