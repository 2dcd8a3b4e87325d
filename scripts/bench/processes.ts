import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { RunningServer } from "../../test/support/running_server.ts";

/** A temporary directory and processes, all gone when this one ends, by Ctrl-C as well. */
export class Workplace {
  readonly directory: string = mkdtempSync(join(tmpdir(), "keyless-bench-"));
  readonly #ends = new Set<() => void>();

  constructor() {
    process.once("exit", () => {
      for (const end of this.#ends) end();
      rmSync(this.directory, { recursive: true, force: true });
    });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(signal, () => process.exit(INTERRUPTED));
    }
  }

  spawn(command: string, args: readonly string[]): ChildProcessWithoutNullStreams {
    const child = spawn(command, args, { cwd: this.directory, stdio: "pipe" });
    this.#endWithUs(child);
    return child;
  }

  /** Starts `keyless serve` and waits until it listens. */
  async serve(args: readonly string[]): Promise<RunningServer> {
    const server = new RunningServer(args, { cwd: this.directory });
    const end = () => server.signal("SIGKILL");
    this.#ends.add(end);
    void server.ended.finally(() => this.#ends.delete(end));
    await server.event("listening");
    return server;
  }

  #endWithUs(child: ChildProcess): void {
    const end = () => child.kill("SIGKILL");
    this.#ends.add(end);
    child.once("close", () => this.#ends.delete(end));
  }
}

const INTERRUPTED = 130;
