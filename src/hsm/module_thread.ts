/** The thread of a module's process that opens the module, and makes all calls but signatures. */
import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { KeylessError, messageOf } from "../errors/errors.ts";
import { answerQuestions, type Channel } from "../threads/questions.ts";
import { loadGraphene } from "./cryptoki.ts";
import { KeyHandles } from "./key_handles.ts";
import { Pkcs11Module } from "./module.ts";
import { answersOf } from "./module_calls.ts";
import type { ThreadFailure } from "./session_thread.ts";

export interface ModuleThreadData {
  readonly path: string;
  /** Of `KeyHandles`. */
  readonly handles: SharedArrayBuffer;
}

/** What it says first. */
export type ModuleThreadStart = { readonly opened: true } | { readonly failed: ThreadFailure };

const port = parentPort!;
const { path, handles } = workerData as ModuleThreadData;
try {
  const module = new Pkcs11Module(await loadGraphene(), path);
  answerQuestions(port as Channel, answersOf(module, new KeyHandles(handles)));
  port.on("message", (message: { readonly stop?: true }) => {
    if (!message.stop) return;
    module.close();
    process.exit(0); // of this thread alone
  });
  port.postMessage({ opened: true } satisfies ModuleThreadStart);
} catch (thrown) {
  const code = thrown instanceof KeylessError ? thrown.code : "INTERNAL";
  port.postMessage({ failed: { code, message: messageOf(thrown) } } satisfies ModuleThreadStart);
}
