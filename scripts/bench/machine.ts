import { execFileSync } from "node:child_process";
import { cpus, loadavg, release } from "node:os";
import { PROGRAMS } from "../../test/support/running_server.ts";

/** Where and when figures were taken. */
export interface Machine {
  readonly date: string;
  readonly cores: number;
  readonly cpuModel: string;
  readonly system: string;
  readonly keyless: string;
  readonly openssl: string;
  /** Of the last minute, before anything was started. */
  readonly loadAverage: number;
}

export function describeMachine(): Machine {
  const firstLine = (command: string, ...args: readonly string[]) =>
    execFileSync(command, args, { encoding: "utf8" }).trim().split("\n")[0]!;
  const [keyless, ...args] = PROGRAMS.executable;
  const cores = cpus();
  return {
    date: new Date().toISOString(),
    cores: cores.length,
    cpuModel: cores[0]?.model ?? "unknown",
    system: `Linux ${release()}`,
    keyless: firstLine(keyless, ...args, "--version"),
    openssl: firstLine("openssl", "version"),
    loadAverage: loadavg()[0]!,
  };
}
