import type { BenchResult } from "./result.ts";

/** What tells whether a run's figures are the client's limit. */
export interface ClientWork {
  readonly elapsedMs: number;
  readonly threads: BenchResult["client"]["threads"];
  /** Of an open loop; undefined in a closed one. */
  readonly pacing: { readonly sent: number; readonly late: number } | undefined;
}

/**
 * Whether a run shows what the client can rather than what the server can, and why. In a closed loop
 * a thread that never waits for answers holds the rate down; in an open one the pacer looks at the
 * clock all the time, and requests that leave late are the sign.
 */
export function clientLimit(work: ClientWork): BenchResult["client"] {
  const { threads } = work;
  const reason = work.elapsedMs < TOO_SHORT_MS ? null : reasonOf(work);
  return { threads, isBottleneck: reason !== null, reason };
}

function reasonOf({ threads, pacing }: ClientWork): string | null {
  return pacing === undefined ? busyReason(threads) : lateReason(pacing);
}

function busyReason(threads: ClientWork["threads"]): string | null {
  const busiest = threads.reduce((most, each) => busyShare(each) > busyShare(most) ? each : most);
  if (busyShare(busiest) < FULL_SHARE) return null;
  const { cpuShare, waitShare } = busiest;
  if ((waitShare ?? 0) > MUCH_WAITING) {
    return `a client thread was busy all the time, ${percent(cpuShare)} on a core and ` +
      `${percent(waitShare)} waiting for one: run it on another machine than the server, ` +
      "or with fewer --threads";
  }
  return `a client thread used ${percent(cpuShare)} of a core: with more --threads, or more ` +
    "machines, the server may do more than this";
}

function lateReason({ sent, late }: NonNullable<ClientWork["pacing"]>): string | null {
  if (sent === 0 || late / sent < LATE_SHARE) return null;
  return `${percent(late / sent)} of the requests were sent late: the client cannot keep this ` +
    "--rate; give it more --threads, or a core of its own";
}

/** A run that says nothing of its client. */
const TOO_SHORT_MS = 500;
const FULL_SHARE = 0.9;
const MUCH_WAITING = 0.1;
const LATE_SHARE = 0.01;

function busyShare({ cpuShare, waitShare }: ClientWork["threads"][number]): number {
  return (cpuShare ?? 0) + (waitShare ?? 0);
}

function percent(share: number | null): string {
  return `${((share ?? 0) * 100).toFixed(0)} %`;
}
