import { Session } from "node:inspector";
import { setTimeout as sleep } from "node:timers/promises";

/** A CPU profile as the inspector protocol has it, `Profiler.Profile`. Times are microseconds. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly startTime: number;
  readonly endTime: number;
  /** Ids of nodes, and the time since the sample before each. */
  readonly samples?: readonly number[];
  readonly timeDeltas?: readonly number[];
}

export interface ProfileNode {
  readonly id: number;
  readonly children?: readonly number[];
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    /** From 0; -1 for what is not JavaScript. */
    readonly lineNumber: number;
  };
}

/**
 * Samples what this thread does for a while.
 *
 * @throws Error of the runtime where it has no profiler
 */
export async function recordCpuProfile(durationMs: number): Promise<CpuProfile> {
  const session = new Session();
  session.connect();
  try {
    await post(session, "Profiler.enable");
    await post(session, "Profiler.setSamplingInterval", { interval: SAMPLING_INTERVAL_US });
    await post(session, "Profiler.start");
    await sleep(durationMs, undefined, { ref: false }); // a server that stops does not wait for it
    const { profile } = await post(session, "Profiler.stop") as { readonly profile: CpuProfile };
    await putToSleep(session);
    return profile;
  } finally {
    session.disconnect();
  }
}

/** On Bun the thread that samples lives on and goes on waking, at the interval that it had last. */
async function putToSleep(session: Session): Promise<void> {
  await post(session, "Profiler.enable");
  await post(session, "Profiler.setSamplingInterval", { interval: ASLEEP_US });
  await post(session, "Profiler.start");
  await post(session, "Profiler.stop");
}

const ASLEEP_US = 10_000_000;

/** A hundred samples a second, as Go's: more make the runtime stand still at the end to sort them. */
export const SAMPLING_INTERVAL_US = 10_000;

function post(session: Session, method: string, parameters: object = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    session.post(method, parameters, (error: Error | null, result?: object) => {
      if (error === null || error === undefined) resolve(result);
      else reject(new Error(error.message, { cause: error }));
    });
  });
}
