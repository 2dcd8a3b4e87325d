import { cpus } from "node:os";
import { resultOf } from "../../test/support/cli.ts";
import type { Workplace } from "./processes.ts";
import type { Figures, OpensslLoad } from "./types.ts";

/** Runs `openssl speed`, and reads how many signatures a second it made. */
export async function opensslSpeed(
  workplace: Workplace,
  { openssl, on }: OpensslLoad,
  seconds: number,
): Promise<Figures> {
  const whole = String(Math.max(1, Math.round(seconds)));
  const cores = on === "all cores" ? ["-multi", String(cpus().length), "-elapsed"] : [];
  const args = ["speed", "-mr", "-seconds", whole, ...cores, openssl];
  const { code, stdout, stderr } = await resultOf(workplace.spawn("openssl", args));
  // the last line: "+F2:2:2048:4042.3:138000.1", signatures and verifications a second
  const ratePerSecond = Number(stdout.trim().split("\n").at(-1)?.split(":").at(-2));
  if (code !== 0 || !(ratePerSecond > 0)) throw new Error(`openssl speed ${openssl}: ${stderr}`);
  return on === "all cores"
    ? { ratePerSecond }
    : { ratePerSecond, cpuMicroseconds: 1e6 / ratePerSecond };
}
