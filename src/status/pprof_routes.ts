import { messageOf } from "../errors/errors.ts";
import { encodeCpuProfiles, encodeHeapProfiles } from "./pprof.ts";
import { type HttpReply, type HttpRequest, type Route, textReply } from "./route.ts";
import type { StatusPortOptions } from "./status_port.ts";
import { runningText } from "./running_text.ts";

/** Everything below /debug/pprof/, in the formats that `go tool pprof` and speedscope open. */
export function pprofRoutes({ source, commandLine, enable }: StatusPortOptions): Route[] {
  let isRecording = false;
  /** One at a time: a thread has one profiler. */
  const exclusively = async (record: () => Promise<HttpReply>): Promise<HttpReply> => {
    if (isRecording) return textReply(409, "another profile is being taken; ask again later");
    isRecording = true;
    try {
      return await record();
    } catch (thrown) {
      return textReply(501, `this runtime cannot take the profile: ${messageOf(thrown)}`);
    } finally {
      isRecording = false;
    }
  };
  const profile = ({ query }: HttpRequest) => {
    const seconds = secondsOf(query.get("seconds") ?? String(DEFAULT_SECONDS));
    if (seconds === undefined) {
      return textReply(400, `seconds is a whole number from 1 to ${MAX_SECONDS}`);
    }
    return exclusively(async () =>
      pprofReply("profile", encodeCpuProfiles(await source.cpuProfiles(seconds * 1_000)))
    );
  };
  const heap = () => {
    if (!enable.heapProfile) return textReply(404, HEAP_DISABLED);
    return exclusively(async () =>
      pprofReply("heap", encodeHeapProfiles(await source.heapProfiles()))
    );
  };
  const replies: Readonly<Record<string, Route["reply"]>> = {
    "": () => textReply(200, INDEX),
    cmdline: () => textReply(200, commandLine.join("\0")),
    goroutine: async () => textReply(200, runningText(await source.state())),
    heap,
    profile,
    ...Object.fromEntries(
      Object.entries(LACKING).map(([name, why]) => [name, () => textReply(501, why)]),
    ),
  };
  return Object.entries(replies).map(([name, reply]) => {
    return { path: `/debug/pprof/${name}`, method: "GET", reply };
  });
}

const DEFAULT_SECONDS = 30;
const MAX_SECONDS = 60;

const HEAP_DISABLED = "it is served with --enable-heap-profile alone, beside --enable-pprof";

/** What Go's programs have there and JavaScript runtimes do not. */
const LACKING = {
  allocs: "this runtime does not sample allocations; heap shows what is alive",
  block: "JavaScript does not block; profile shows where the time goes",
  mutex: "JavaScript has no locks; profile shows where the time goes",
  threadcreate: "this runtime does not tell who started a thread",
  trace: "this runtime has no execution trace; profile shows where the time goes",
} as const;

const INDEX = `profiles of this process; samples have the label "thread": main, worker 1, …

/debug/pprof/profile?seconds=30   CPU, in pprof's format; 1 to ${MAX_SECONDS} seconds, one at a time
/debug/pprof/heap                 what is alive by type, in pprof's format; stops each thread while
                                  it counts (with --enable-heap-profile)
/debug/pprof/goroutine            what runs at the moment, as text
/debug/pprof/cmdline              the program's words, with zero bytes between them`;

function secondsOf(text: string): number | undefined {
  const seconds = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  return seconds >= 1 && seconds <= MAX_SECONDS ? seconds : undefined;
}

function pprofReply(name: string, body: Uint8Array): HttpReply {
  return {
    status: 200,
    type: "application/octet-stream",
    body,
    headers: { "Content-Disposition": `attachment; filename="${name}.pb.gz"` },
  };
}
