/** What a worker of the key server runs: one event loop with connections. See `ServerGroup`. */
import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { selectEngine } from "../crypto/select_engine.ts";
import { KeylessError, messageOf } from "../errors/errors.ts";
import { HsmClient } from "../hsm/hsm_client.ts";
import { HsmKeystore } from "../hsm/hsm_keystore.ts";
import { verifyByLibcrypto } from "../hsm/verify_signature.ts";
import type { Keystore } from "../keystore/keystore.ts";
import { Keystores } from "../keystore/keystores.ts";
import { SharedStore } from "../keystore/shared_store.ts";
import { ThreadMetrics } from "../telemetry/metrics/thread_metrics.ts";
import { recordCpuProfile } from "../telemetry/profiles/cpu_profile.ts";
import { heapProfile } from "../telemetry/profiles/heap_profile.ts";
import { logRuntimeWarnings } from "../telemetry/runtime_warnings.ts";
import { ServerLog } from "../telemetry/server_log.ts";
import { ServerMetrics } from "../telemetry/server_metrics.ts";
import type { Tracer } from "../telemetry/tracing/tracer.ts";
import { Admission } from "../threads/admission.ts";
import { answerQuestions, type Channel } from "../threads/questions.ts";
import { SIGNING_COUNTERS } from "../threads/signing_memory.ts";
import { SigningQueue } from "../threads/signing_queue.ts";
import { SharedCounters } from "../threads/shared_counters.ts";
import { type Server, startServer } from "./server.ts";
import { SERVER_COUNTERS } from "./server_counters.ts";
import { ForwardedLog } from "./forwarded_log.ts";
import type {
  ServerThreadAnswers,
  ServerThreadEvent,
  ServerThreadOptions,
  StopOrder,
} from "./thread_messages.ts";

/** Of all workers together: apart from those of what is signed here. */
const HSM_LIMITS = { requests: 16_384, bytes: 33_554_432, work: Infinity } as const;

const port = parentPort!;
const options = workerData as ServerThreadOptions;
const log = new ForwardedLog((line) => tell({ log: line }), new Int32Array(options.logTaken));
logRuntimeWarnings(log);
const serverLog = new ServerLog(log, { debug: options.debug });
const metrics = new ServerMetrics({
  established: (established) => tell({ established }),
  closed: (lifetimeMs) => tell({ closed: { lifetimeMs } }),
});
const thread = new ThreadMetrics();
thread.watchEventLoop();
const tracer = await startTracer();
const queue = options.signing && new SigningQueue(options.signing, options.place);
if (queue !== undefined) metrics.watchSigning(() => queue.load());
port.on("message", (order: Partial<StopOrder>) => {
  if (order.stop) process.exit(0); // of this thread alone
});

try {
  const server = await startServer({
    credentials: options.credentials,
    listen: options.listen,
    keystore: openKeystore(),
    log: serverLog,
    metrics,
    tracer,
    limits: options.limits,
    counters: new SharedCounters(SERVER_COUNTERS, options.serverMemory, options.place),
    cutElsewhere: () => tell({ overfull: true }),
  });
  answerQuestions<ServerThreadAnswers>(port, answersOf(server));
  tell({ listening: server.addresses });
} catch (thrown) {
  const code = thrown instanceof KeylessError ? thrown.code : "INTERNAL";
  tell({ failed: { code, message: messageOf(thrown) } });
}

/** Software keys first: they are found and used here. */
function openKeystore(): Keystore {
  const { engine, keys, hsm } = options;
  const software = new SharedStore(selectEngine(engine), keys, { elsewhere: queue });
  if (hsm === undefined) return software;
  const counters = new SharedCounters(SIGNING_COUNTERS, hsm.counters, options.place);
  const client = new HsmClient(port as Channel, new Admission(counters), HSM_LIMITS);
  const verify = hsm.verify ? verifyByLibcrypto() : undefined;
  return new Keystores([software, new HsmKeystore(hsm.keys, client, { verify })]);
}

function answersOf(server: Server): ServerThreadAnswers {
  return {
    metrics: snapshot,
    gauges: () => ({ server: server.gauges(), signing: queue?.load() }),
    isAlive: () => true,
    cutOldestHandshake: () => server.cutOldestHandshake(),
    async drain(timeoutMs) {
      const cut = await server.drain(timeoutMs);
      queue?.close();
      await tracer?.stop();
      serverLog.flush();
      return { cut, metrics: snapshot() };
    },
    cpuProfile: recordCpuProfile,
    heapProfile: () => heapProfile(),
  };
}

function snapshot(): string {
  return JSON.stringify([...metrics.registry.snapshot(), ...thread.registry.snapshot()]);
}

function tell(event: ServerThreadEvent): void {
  port.postMessage(event);
}

async function startTracer(): Promise<Tracer | undefined> {
  if (options.tracing === undefined) return undefined;
  const { OtlpTracer } = await import("../telemetry/tracing/otlp_tracer.ts");
  return new OtlpTracer({ ...options.tracing, log });
}
