import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { clearInterval, setInterval } from "node:timers";
import { setTimeout as sleep } from "node:timers/promises";
import type { RunningServer } from "../../test/support/running_server.ts";
import { benchArguments } from "./load.ts";
import type { Workplace } from "./processes.ts";
import type { Figures, ServerSpec } from "./types.ts";

/** A `keyless serve` under measurement: its CPU time and memory, as Linux counts them. */
export class MeasuredServer {
  /** Of `--dev`. */
  readonly directory: string;
  readonly #server: RunningServer;
  readonly #startSeconds: number;
  /** When, and CPU time so far. */
  readonly #samples: (readonly [atMs: number, microseconds: number])[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #lookups: Lookups = { count: 0, seconds: 0 };

  private constructor(directory: string, server: RunningServer, startSeconds: number) {
    this.directory = directory;
    this.#server = server;
    this.#startSeconds = startSeconds;
  }

  static async start(
    workplace: Workplace,
    directory: string,
    { workers, idleConnections }: ServerSpec,
  ): Promise<MeasuredServer> {
    const flags = workers === undefined ? [] : ["--workers", String(workers)];
    const begun = performance.now();
    const server = await workplace.serve([
      "--dev",
      "--dev-dir",
      directory,
      "--port",
      "0",
      ...flags,
    ]);
    const measured = new MeasuredServer(directory, server, (performance.now() - begun) / 1_000);
    if (idleConnections !== undefined) await measured.#hold(workplace, idleConnections);
    return measured;
  }

  get port(): number {
    return this.#server.port;
  }

  /** Its time is taken from here on. */
  async begin(): Promise<void> {
    this.#lookups = await this.#readLookups();
    this.#samples.length = 0;
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  /** What it had since `begin`. */
  async end(): Promise<Figures> {
    clearInterval(this.#timer);
    this.#sample();
    const { count, seconds } = await this.#readLookups();
    const found = count - this.#lookups.count;
    const lookups = found === 0
      ? {}
      : { lookupMicroseconds: (seconds - this.#lookups.seconds) / found * 1e6 };
    const status = readFileSync(`/proc/${this.#server.pid}/status`, "utf8");
    const megabytes = (name: string) =>
      Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1_024;
    return {
      startSeconds: this.#startSeconds,
      memoryMegabytes: megabytes("VmRSS"),
      peakMegabytes: megabytes("VmHWM"),
      ...lookups,
    };
  }

  /** CPU time between two moments since `begin`, as `Date.now()` tells them, in microseconds. */
  cpuBetween(fromMs: number, toMs: number): number {
    return this.#cpuAt(toMs) - this.#cpuAt(fromMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#server.stop();
  }

  async #hold(workplace: Workplace, connections: number): Promise<void> {
    const idle = { op: "ping", connections, inFlight: 1, rate: 1 };
    const [command = "", ...args] = benchArguments(this, idle, ["--duration", "1h"]);
    workplace.spawn(command, args); // it ends with the server
    const sockets = () => readdirSync(`/proc/${this.#server.pid}/fd`).length;
    const until = performance.now() + CONNECT_MS;
    while (sockets() < connections) {
      if (performance.now() > until) throw new Error(`${connections} connections were not made`);
      await sleep(SAMPLE_MS);
    }
    await sleep(SETTLE_MS);
  }

  #sample(): void {
    const microseconds = cpuMicroseconds(this.#server.pid);
    if (microseconds !== undefined) this.#samples.push([Date.now(), microseconds]);
  }

  /** Between two samples, as if it were spent evenly. */
  #cpuAt(atMs: number): number {
    const after = this.#samples.findIndex(([sampleMs]) => sampleMs >= atMs);
    const [toMs, to] = this.#samples[after] ?? this.#samples.at(-1)!;
    const [fromMs, from] = this.#samples[after - 1] ?? [toMs, to];
    return toMs === fromMs ? to : from + (to - from) * (atMs - fromMs) / (toMs - fromMs);
  }

  async #readLookups(): Promise<Lookups> {
    const response = await fetch(`http://127.0.0.1:${this.#server.metricsPort}/metrics`);
    const text = await response.text();
    const value = (name: string) =>
      Number(new RegExp(`^keyless_key_load_duration_${name} (\\S+)$`, "m").exec(text)?.[1] ?? 0);
    return { count: value("count"), seconds: value("sum") };
  }
}

interface Lookups {
  readonly count: number;
  readonly seconds: number;
}

const SAMPLE_MS = 20;
const CONNECT_MS = 60_000;
/** After so many handshakes. */
const SETTLE_MS = 1_000;

const TICK_MICROSECONDS = 1e6 / Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/**
 * User and system time of all threads of a process: proc(5), "/proc/pid/stat".
 *
 * @returns undefined where it has ended; its loads will tell
 */
function cpuMicroseconds(pid: number): number | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROSECONDS;
}
