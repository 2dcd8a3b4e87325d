import { Worker } from "node:worker_threads";
import type { FileStore } from "../../src/keystore/file_store.ts";
import { DEFAULT_LIMITS } from "../../src/server/limits.ts";
import {
  type ServerGroup,
  type ServerGroupOptions,
  startServerGroup,
} from "../../src/server/server_group.ts";
import { MainMetrics } from "../../src/telemetry/main_metrics.ts";
import { createSigningMemory } from "../../src/threads/signing_memory.ts";
import { SigningThreads } from "../../src/threads/signing_threads.ts";
import { MemoryLog } from "./memory_log.ts";
import type { TestPki } from "./test_server.ts";

export interface TestGroup {
  readonly group: ServerGroup;
  readonly port: number;
  readonly log: MemoryLog;
  readonly observer: MainMetrics;
  /** The newest worker of each place. */
  readonly workers: readonly Worker[];
  /** Drains it, and ends its signing threads. */
  stop(): Promise<void>;
}

/** A server of real workers and two signing threads, on a loopback port that the system chose. */
export async function startTestGroup(
  pki: TestPki,
  store: FileStore,
  options: Partial<ServerGroupOptions> = {},
): Promise<TestGroup> {
  const log = new MemoryLog();
  const observer = new MainMetrics();
  const count = options.workers ?? 2;
  const workers: Worker[] = [];
  const signing = new SigningThreads(createSigningMemory(count, 2));
  try {
    const group = await startServerGroup({
      workers: count,
      credentials: pki.credentials,
      listen: [{ host: "127.0.0.1", port: 0 }],
      engine: "libcrypto",
      keys: store.share(),
      limits: DEFAULT_LIMITS,
      debug: false,
      tracing: undefined,
      signing,
      log,
      observer,
      startWorker: (workerData) => {
        const file = new URL("../../src/server/server_thread.ts", import.meta.url);
        return workers[workerData.place] = new Worker(file, { workerData });
      },
      ...options,
    });
    const stop = async () => {
      await group.drain(0);
      await signing.stop();
    };
    return { group, port: group.port ?? 0, log, observer, workers, stop };
  } catch (error) {
    await signing.stop();
    throw error;
  }
}
