import { gzipSync } from "node:zlib";
import {
  Function as PprofFunction,
  Label,
  Line,
  Location,
  Profile,
  Sample,
  StringTable,
  ValueType,
} from "pprof-format";
import {
  type CpuProfile,
  type ProfileNode,
  SAMPLING_INTERVAL_US,
} from "../telemetry/profiles/cpu_profile.ts";
import type { HeapType } from "../telemetry/profiles/heap_profile.ts";
import type { Profiled } from "../telemetry/profiles/profiled.ts";

/**
 * CPU profiles of threads in pprof's format, gzipped: one profile, whose samples have the label
 * "thread". Idle time is left out, whichever way the runtime tells it: as samples of "(idle)", or as
 * gaps between samples.
 *
 * Source: https://github.com/google/pprof/blob/main/proto/profile.proto
 */
export function encodeCpuProfiles(threads: readonly Profiled<CpuProfile>[]): Uint8Array {
  const builder = new ProfileBuilder([["samples", "count"], ["cpu", "nanoseconds"]]);
  for (const { thread, profile } of threads) addCpuProfile(builder, thread, profile);
  const durationsUs = threads.map(({ profile: { startTime, endTime } }) => endTime - startTime);
  return builder.encode({
    periodType: ["cpu", "nanoseconds"],
    period: SAMPLING_INTERVAL_US * 1_000,
    durationNanos: Math.round(Math.max(0, ...durationsUs) * 1_000),
  });
}

function addCpuProfile(builder: ProfileBuilder, thread: string, profile: CpuProfile): void {
  const { nodes, samples = [], timeDeltas = [] } = profile;
  const times = new Map<number, SampledTime>();
  for (const [i, id] of samples.entries()) {
    const time = times.get(id) ?? { count: 0, microseconds: 0 };
    time.count += 1;
    time.microseconds += Math.max(0, Math.min(timeDeltas[i] ?? 0, MAX_DELTA_US));
    times.set(id, time);
  }
  const parents = new Map(nodes.flatMap((node) => node.children?.map((id) => [id, node]) ?? []));
  for (const node of nodes) {
    const time = times.get(node.id);
    if (time === undefined || node.callFrame.functionName === IDLE) continue;
    const values = [time.count, Math.round(time.microseconds * 1_000)];
    builder.add(thread, stackOf(node, parents), values);
  }
}

/** What is alive in threads, likewise: the stack is the type's name, then its kind. */
export function encodeHeapProfiles(threads: readonly Profiled<readonly HeapType[]>[]): Uint8Array {
  const builder = new ProfileBuilder([["inuse_objects", "count"], ["inuse_space", "bytes"]]);
  for (const { thread, profile } of threads) {
    for (const { kind, name, count, bytes } of profile) {
      const names = name === "" ? [kind] : [name, kind];
      const stack = names.map((each) => ({ name: each, file: "", line: 0 }));
      builder.add(thread, stack, [count, bytes]);
    }
  }
  return builder.encode({ periodType: ["space", "bytes"], period: 1, durationNanos: 0 });
}

interface SampledTime {
  count: number;
  microseconds: number;
}

interface Frame {
  readonly name: string;
  readonly file: string;
  /** From 1; 0 where it is not known. */
  readonly line: number;
}

type Unit = readonly [type: string, unit: string];

/** From the function that was running to the one that everything started from. */
function stackOf(node: ProfileNode, parents: ReadonlyMap<number, ProfileNode>): Frame[] {
  const stack: Frame[] = [];
  for (let at: ProfileNode | undefined = node; at !== undefined; at = parents.get(at.id)) {
    const { functionName, url, lineNumber } = at.callFrame;
    if (functionName === ROOT) continue;
    stack.push({ name: functionName || ANONYMOUS, file: url, line: lineNumber + 1 });
  }
  return stack;
}

/** Collects stacks; functions and locations stand once each. */
class ProfileBuilder {
  readonly #strings = new StringTable();
  readonly #sampleTypes: readonly Unit[];
  readonly #functions: PprofFunction[] = [];
  readonly #locations: Location[] = [];
  readonly #samples: Sample[] = [];
  readonly #ids = new Map<string, number>();

  constructor(sampleTypes: readonly Unit[]) {
    this.#sampleTypes = sampleTypes;
  }

  add(thread: string, stack: readonly Frame[], value: number[]): void {
    const locationId = stack.map((frame) => this.#idOf(frame));
    const label = new Label({
      key: this.#strings.dedup("thread"),
      str: this.#strings.dedup(thread),
    });
    this.#samples.push(new Sample({ locationId, value, label: [label] }));
  }

  encode(
    { periodType, period, durationNanos }: {
      readonly periodType: Unit;
      readonly period: number;
      readonly durationNanos: number;
    },
  ): Uint8Array {
    const profile = new Profile({
      sampleType: this.#sampleTypes.map((unit) => this.#valueType(unit)),
      sample: this.#samples,
      location: this.#locations,
      function: this.#functions,
      stringTable: this.#strings,
      timeNanos: BigInt(Date.now()) * 1_000_000n,
      durationNanos,
      periodType: this.#valueType(periodType),
      period,
    });
    return gzipSync(profile.encode());
  }

  /** A function has one location: where it starts. Which of its lines ran is not told. */
  #idOf({ name, file, line }: Frame): number {
    const key = `${name}\n${file}\n${line}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.#ids.size + 1;
    this.#ids.set(key, id);
    const nameAt = this.#strings.dedup(name);
    this.#functions.push(
      new PprofFunction({
        id,
        name: nameAt,
        systemName: nameAt,
        filename: this.#strings.dedup(file),
        startLine: line,
      }),
    );
    this.#locations.push(new Location({ id, line: [new Line({ functionId: id, line })] }));
    return id;
  }

  #valueType([type, unit]: Unit): ValueType {
    return new ValueType({ type: this.#strings.dedup(type), unit: this.#strings.dedup(unit) });
  }
}

const ROOT = "(root)";
const IDLE = "(idle)";
const ANONYMOUS = "(anonymous)";

/** What lies further apart was idle time in between. */
const MAX_DELTA_US = 2 * SAMPLING_INTERVAL_US;
