import { readFileSync } from "node:fs";

/** How a thread has spent its time so far, in nanoseconds. */
export interface ThreadTimes {
  readonly onCpuNs: number;
  /** Ready to run, but without a core. */
  readonly waitingNs: number;
}

/**
 * Of the thread that asks; undefined where the system does not tell.
 *
 * Source: Linux, Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat".
 */
export function threadTimes(): ThreadTimes | undefined {
  try {
    const [onCpu, waiting] = readFileSync("/proc/thread-self/schedstat", "latin1").split(" ");
    return { onCpuNs: Number(onCpu), waitingNs: Number(waiting) };
  } catch {
    return undefined;
  }
}
