import { availableParallelism } from "node:os";
import process from "node:process";
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { SEARCH_PATH } from "../../src/config/file.ts";
import type { LoadedSettings } from "../../src/config/load.ts";
import type { Settings } from "../../src/config/settings.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { EXIT } from "../../src/errors/table.ts";
import type { DevDirectory } from "../../src/pki/dev.ts";
import type { ServerLimits } from "../../src/server/limits.ts";
import type { ListenAddress } from "../../src/server/listener.ts";
import type { ServerGroup } from "../../src/server/server_group.ts";
import type { Log } from "../../src/telemetry/log.ts";
import type { RecentProblems } from "../../src/telemetry/recent_problems.ts";
import type { ConnectionObserver } from "../../src/telemetry/server_metrics.ts";
import type { SigningThreads } from "../../src/threads/signing_threads.ts";
import { printable } from "../../src/errors/printable.ts";
import { addDevOptions, prepareDev } from "../dev_options.ts";
import { hardenProcess } from "../harden_process.ts";
import { addHelp } from "../help.ts";
import { invocation, quoted } from "../invocation.ts";
import type { Observation } from "../observe.ts";
import { printText, wantsColour } from "../output.ts";
import type { PreparedServer } from "../prepare.ts";
import type { RunningProof } from "../prove_keys.ts";
import { createProgress } from "../progress.ts";
import { logRuntimeWarnings } from "../../src/telemetry/runtime_warnings.ts";
import { addSettingOptions } from "../setting_options.ts";
import { type Stop, stopSignal } from "../stop_signal.ts";
import { boundedDestination, endThoughUnread } from "../log_destination.ts";

/** `keyless serve`: the key server, until a signal ends it. */
export function serveCommand(): CommandUnknownOpts {
  const command: CommandUnknownOpts = new Command("serve")
    .description("hold private keys and sign with them for clients over mutual TLS")
    .action((options: Record<string, unknown>) => serve(options));
  addDevOptions(command);
  addSettingOptions(command);
  addHelp(command, [
    { line: "keyless serve --dev", what: "try it: throw-away keys, loopback alone" },
    { line: "keyless serve --config-file /etc/keyless/gokeyless.yaml", what: "serve real keys" },
    {
      line: "keyless serve --private-key-dirs /etc/keyless/keys --port 2407",
      what: "flags win over KEYLESS_ variables, those over the file",
    },
  ]);
  return command;
}

async function serve(options: Readonly<Record<string, unknown>>): Promise<void> {
  process.stderr.on("error", () => {}); // a log reader that has gone does not end the service
  const dev = await prepareDev(options, "make");
  const { serveSettings } = await import("../serve_settings.ts");
  const loaded = serveSettings(options, dev);
  const { settings } = loaded;
  const { RecentProblems } = await import("../../src/telemetry/recent_problems.ts");
  const log = new RecentProblems(await openLog(settings));
  logRuntimeWarnings(log);
  const stop = stopSignal(log, dev !== undefined);
  for (const warning of loaded.warnings) log.warn({ event: "configuration" }, warning);
  const workers = settings.workers || availableParallelism();
  const maxConnections = hardenProcess(settings, workers, log);
  const prepared = await prepare(loaded, log);
  try {
    if (stop.received) log.info({ event: "stopped", cut: 0 }, "stopped before it listened");
    else await sign(loaded, prepared, { log, stop, workers, maxConnections, dev });
  } finally {
    prepared.store.close();
    await prepared.hsm?.close();
  }
}

interface Run {
  readonly log: RecentProblems;
  readonly stop: Stop;
  readonly workers: number;
  readonly maxConnections: number;
  readonly dev: DevDirectory | undefined;
}

/** With signing threads, for as long as the server runs: no key is in use when it resolves. */
async function sign(loaded: LoadedSettings, prepared: PreparedServer, run: Run): Promise<void> {
  const { startSigning } = await import("../start_signing.ts");
  const signing = startSigning(prepared.engine, run.workers + 1, run.log);
  try {
    await listen(loaded, prepared, { ...run, signing });
  } finally {
    await signing?.stop();
  }
}

interface SigningRun extends Run {
  /** With a loop for each worker, and the last one for the main thread. */
  readonly signing: SigningThreads | undefined;
}

/** From the first listener to the end of the drain. */
async function listen(
  loaded: LoadedSettings,
  prepared: PreparedServer,
  run: SigningRun,
): Promise<void> {
  const { settings } = loaded;
  const { log, stop, dev, signing } = run;
  const { createMetrics, storeGauges } = await import("../create_metrics.ts");
  const stores = storeGauges(settings, prepared.store, prepared.hsm);
  const metrics = createMetrics(settings, prepared, stores);
  const server = await startWorkers(settings, prepared, metrics, run);
  let removePidFile = () => {};
  let observation: Observation | undefined;
  let proof: RunningProof | undefined;
  const leaveNoFiles = () => {
    removePidFile();
    server.closeListeners();
    observation?.closePorts();
  };
  process.once("exit", leaveNoFiles); // a second signal ends the process in the middle
  try {
    metrics.watchThreads(() => ({
      workers: server.workers,
      deaths: { worker: server.restarts, signing: signing?.load().deaths ?? 0 },
    }));
    const { observe } = await import("../observe.ts");
    observation = await observe({
      ...{ settings, server, prepared, metrics, stores, log },
      stop: (reason) => stop.stop(reason),
    });
    logListening(server, loaded, prepared, log);
    const { writePidFile } = await import("../pid_file.ts");
    if (settings.pid_file !== "") removePidFile = writePidFile(settings.pid_file);
    if (dev !== undefined) printDevHint(dev, settings, server);
    if (signing !== undefined || prepared.hsm !== undefined) {
      proof = await startProof(prepared, run);
      metrics.watchProof(proof.counts);
    }
    const signal = await stop.signal;
    void proof?.stop();
    log.info({ event: "stopping", signal, connections: server.connections }, "stopping");
    const cut = await server.drain(settings.shutdown_timeout);
    await observation.close();
    log.info({ event: "stopped", cut }, "stopped");
    endThoughUnread(process.stderr);
    if (cut > 0) process.exitCode = EXIT.CHECK_FAILED;
  } finally {
    leaveNoFiles();
    await server.drain(0);
    await proof?.stop();
    await observation?.close();
  }
}

async function startProof(
  { store, hsm }: PreparedServer,
  { signing, workers, log }: SigningRun,
): Promise<RunningProof> {
  const { proveKeysInFiles, proveKeysInTokens, together } = await import("../prove_keys.ts");
  return together([
    ...(signing === undefined ? [] : [proveKeysInFiles(store, signing.memory, workers, log)]),
    ...(hsm === undefined ? [] : [proveKeysInTokens(hsm, log)]),
  ]);
}

/** Opens everything that is needed before it can listen. */
async function prepare(
  { settings, configFile, origins }: LoadedSettings,
  log: Log,
): Promise<PreparedServer> {
  const { checkPidFile } = await import("../pid_file.ts");
  if (settings.pid_file !== "") checkPidFile(settings.pid_file);
  const { prepareServer } = await import("../prepare.ts");
  const progress = createProgress("loading keys:", process.stderr);
  try {
    const { hsmLog } = await import("../hsm_log.ts");
    const prepared = await prepareServer(settings, { onProgress: progress.show, hsm: hsmLog(log) })
      .finally(progress.clear); // before a line is logged
    for (const warning of prepared.warnings) log.warn({ event: "configuration" }, warning);
    for (const fault of prepared.faults) log.error({ event: "configuration" }, fault);
    return prepared;
  } catch (thrown) {
    const isBare = configFile === undefined && origins.auth_cert === "default";
    throw isBare ? withoutConfiguration(thrown) : thrown;
  }
}

/** Someone who has just installed it meets this first. */
function withoutConfiguration(thrown: unknown): unknown {
  if (!(thrown instanceof KeylessError)) return thrown;
  const hint = `there is no configuration (${SEARCH_PATH.join(", ")}): name one with ` +
    "--config-file, or try keyless serve --dev";
  return new KeylessError(thrown.code, `${thrown.message}\n${hint}`, { cause: thrown });
}

async function startWorkers(
  settings: Settings,
  { credentials, engine, store, hsm }: PreparedServer,
  observer: ConnectionObserver,
  { log, maxConnections, workers, signing }: SigningRun,
): Promise<ServerGroup> {
  const { startServerGroup } = await import("../../src/server/server_group.ts");
  const { DEFAULT_LIMITS } = await import("../../src/server/limits.ts");
  const { tracingOptions } = await import("../tracing_options.ts");
  return startServerGroup({
    ...{ workers, credentials, signing, hsm, log, observer },
    verifyHsm: settings.verify_hsm,
    listen: listenAddresses(settings),
    engine: engine.name,
    keys: store.share(),
    limits: { ...DEFAULT_LIMITS, ...limitsOf(settings), maxConnections },
    debug: settings.loglevel === 0,
    tracing: tracingOptions(settings, log),
  });
}

/** Everything is open when this line comes. */
function logListening(
  server: ServerGroup,
  { configFile }: LoadedSettings,
  { engine, store, hsm }: PreparedServer,
  log: Log,
): void {
  log.info({
    event: "listening",
    addresses: server.addresses,
    port: server.port,
    keys: store.size + (hsm?.size ?? 0),
    workers: server.workers,
    engine: engine.name,
    crypto: engine.version,
    configFile,
    pid: process.pid,
  }, "listening");
}

async function openLog(settings: Settings): Promise<Log> {
  const { createLog } = await import("../../src/telemetry/log.ts");
  const pretty = settings.log_format === "pretty" ||
    (settings.log_format === "auto" && process.stderr.isTTY);
  return createLog({
    level: PINO_LEVELS[settings.loglevel],
    format: pretty ? "pretty" : "json",
    destination: boundedDestination(process.stderr),
    colour: wantsColour(process.stderr),
  });
}

/** gokeyless's levels 0 to 5; "critical" and "fatal" are one level here. */
const PINO_LEVELS = ["debug", "info", "warn", "error", "fatal", "fatal"] as const;

function listenAddresses(settings: Settings): ListenAddress[] {
  const { bind, port, unix_socket: path } = settings;
  return [
    ...(port === "off" ? [] : [{ host: bind, port }]),
    ...(path === "" ? [] : [{ path }]),
  ];
}

function limitsOf(settings: Settings): Partial<ServerLimits> {
  return {
    maxInFlight: settings.max_in_flight,
    handshakeMs: settings.handshake_timeout,
    signTimeoutMs: settings.sign_timeout || Infinity,
    signRetries: settings.sign_retry_count,
    idleMs: settings.idle_timeout,
    unixIdleMs: settings.unix_idle_timeout,
    writeStallMs: settings.write_timeout,
  };
}

/** The line that tries this very server. */
function printDevHint(dev: DevDirectory, settings: Settings, server: ServerGroup): void {
  const words = [invocation(), "ping", "--dev"];
  if (process.cwd() !== dev.directory.replace(/\/keyless-dev$/, "")) {
    words.push("--dev-dir", quoted(dev.directory));
  }
  if (server.port === undefined) words.push(`unix:${quoted(settings.unix_socket)}`);
  else if (server.port !== DEFAULT_PORT) words.push(`${settings.bind}:${server.port}`);
  printText(`Try it, in another terminal:\n  ${printable(words.join(" "))}`);
}

const DEFAULT_PORT = 2407;
