/** A thread that has been given a store's keys, and signs with them as it is asked to. */
import { parentPort, workerData } from "node:worker_threads";
import type { EngineName } from "../../src/crypto/engine.ts";
import type { SignScheme } from "../../src/crypto/scheme.ts";
import { selectEngine } from "../../src/crypto/select_engine.ts";
import type { KeyQuery } from "../../src/keystore/keystore.ts";
import type { SharedKeys } from "../../src/keystore/shared_keys.ts";
import { SharedStore } from "../../src/keystore/shared_store.ts";
import { answerQuestions } from "../../src/threads/questions.ts";
import { contextOf } from "../support/request_context.ts";

export interface StoreWorkerData {
  readonly engine: EngineName;
  readonly keys: SharedKeys;
}

export type StoreWorkerAnswers = {
  /** Undefined where no key is found. */
  readonly sign: (asked: {
    readonly query: KeyQuery;
    readonly scheme: SignScheme;
    readonly bytes: Uint8Array;
  }) => Uint8Array | Promise<Uint8Array> | undefined;
};

const { engine, keys } = workerData as StoreWorkerData;
const store = new SharedStore(selectEngine(engine), keys);

answerQuestions<StoreWorkerAnswers>(parentPort!, {
  sign: ({ query, scheme, bytes }) => store.find(query)?.sign(scheme, bytes, contextOf()),
});
