/**
 * The process that holds a PKCS#11 module: it starts the threads that call it. No call
 * of the module is made on this thread, so that it always hears when the main program has ended.
 *
 *     stdin    → orders and questions      the module thread: login, keys, …
 *     fd 3     ← its answers
 *     fd 4 …   ↔ requests and replies      a session thread for each: signatures
 *
 * stdout and stderr are left to the module: some print.
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { Worker } from "node:worker_threads";
import { messageOf } from "../errors/errors.ts";
import { disableCoreDumps } from "../runtime/process.ts";
import type { Question } from "../threads/questions.ts";
import { concat, encodeFrame, type FrameContent, FrameReader } from "./frames.ts";
import { KeyHandles } from "./key_handles.ts";
import type { ModuleThreadData } from "./module_thread.ts";
import type { SessionThreadData, ThreadFailure } from "./session_thread.ts";

/** What this thread is told, besides the questions that are the module thread's. */
export interface ChildOrder {
  /** Starts a session's thread on a socket, where it speaks for itself. */
  readonly startSession: Pick<SessionThreadData, "slotId" | "fd" | "session">;
}

/** What it says unasked. */
export type ChildWord =
  /** The module is open, and may be asked. */
  | { readonly opened: true }
  /** It cannot be opened; the process ends. */
  | { readonly failed: ThreadFailure };

/**
 * Runs until stdin ends: the main program wants no more, or is gone.
 *
 * @param path of the module
 */
export function runModuleChild(path: string): void {
  disableCoreDumps();
  // a terminal and a service manager signal all processes; this one ends after the main program
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2"] as const) {
    process.on(signal, () => {});
  }
  const child = new ModuleChild(path);
  const frames = new FrameReader();
  process.stdin.on("data", (chunk: Uint8Array) => {
    for (const content of frames.read(chunk)) child.take(content);
    chunk.fill(0); // it may hold a PIN
  });
  process.stdin.on("end", () => child.end());
}

class ModuleChild {
  readonly #path: string;
  readonly #handles = new KeyHandles();
  readonly #module: Worker;
  readonly #sessions = new Set<Worker>();

  constructor(path: string) {
    this.#path = path;
    const workerData: ModuleThreadData = { path, handles: this.#handles.memory };
    this.#module = new Worker(new URL("./module_thread.ts", import.meta.url), { workerData });
    this.#module.on("message", (message) => send({ message }));
    this.#module.on("error", (error) => abort(`its module thread failed: ${messageOf(error)}`));
  }

  take(content: FrameContent): void {
    if ("batch" in content) return;
    const { message } = content;
    const { startSession } = message as Partial<ChildOrder>;
    if (startSession !== undefined) return this.#startSession(startSession);
    this.#module.postMessage(message);
    const { asked } = (message as { readonly question: Question }).question;
    (asked as { readonly pin?: Uint8Array } | undefined)?.pin?.fill(0);
  }

  /** The sessions were stopped on their sockets. Waits for no call that does not return. */
  end(): void {
    setTimeout(() => process.kill(process.pid, "SIGKILL"), END_MS);
    const finish = () => {
      if (this.#sessions.size > 0) return;
      this.#module.once("exit", () => process.exit(0));
      this.#module.postMessage({ stop: true });
    };
    for (const worker of this.#sessions) worker.once("exit", finish);
    finish();
  }

  #startSession(order: ChildOrder["startSession"]): void {
    const handles = this.#handles.memory;
    const workerData: SessionThreadData = { ...order, path: this.#path, handles };
    const worker = new Worker(new URL("./session_thread.ts", import.meta.url), { workerData });
    this.#sessions.add(worker);
    worker.on("error", (error) => abort(`a session's thread failed: ${messageOf(error)}`));
    worker.once("exit", () => this.#sessions.delete(worker));
  }
}

/** What is said in one turn of the event loop leaves in one write. */
function send(content: FrameContent): void {
  unsent.push(encodeFrame(content));
  if (unsent.length === 1) setImmediate(flush);
}

/** Blocks while the main program does not read. */
function flush(): void {
  const bytes = concat(unsent.splice(0));
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(REPLIES, bytes, at);
  } catch { // nobody reads: the main program is gone
    process.exit(0);
  }
}

const unsent: Uint8Array[] = [];

function abort(why: string): never {
  console.error(why);
  process.exit(1);
}

/** The file descriptor that frames for the main program go to. */
const REPLIES = 3;

/** A call may hold the end up for so long. */
const END_MS = 1_000;
