import process from "node:process";
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Settings } from "../../src/config/settings.ts";
import { EXIT } from "../../src/errors/table.ts";
import type { DevDirectory } from "../../src/pki/dev.ts";
import type { ServerLimits } from "../../src/server/limits.ts";
import type { ListenAddress } from "../../src/server/listener.ts";
import type { Server } from "../../src/server/server.ts";
import type { Log } from "../../src/telemetry/log.ts";
import { addDevOptions, prepareDev } from "../dev_options.ts";
import { addHelp } from "../help.ts";
import { invocation, quoted } from "../invocation.ts";
import { printText, wantsColour } from "../output.ts";
import { createProgress } from "../progress.ts";
import { addSettingOptions } from "../setting_options.ts";

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
  const dev = await prepareDev(options);
  const { serveSettings } = await import("../serve_settings.ts");
  const { settings, warnings, configFile } = serveSettings(options, dev);
  const log = await openLog(settings);
  for (const warning of warnings) log.warn({ event: "configuration" }, warning);

  const { server, flushLog } = await start(settings, log, configFile);
  const { writePidFile } = await import("../pid_file.ts");
  let removePidFile = () => {};
  try {
    if (settings.pid_file !== "") removePidFile = writePidFile(settings.pid_file);
    if (dev !== undefined) printDevHint(dev, settings, server);
    const signal = await stopSignal();
    log.info({ event: "stopping", signal, connections: server.connections }, "stopping");
    const cut = await server.drain(settings.shutdown_timeout);
    flushLog();
    log.info({ event: "stopped", cut }, "stopped");
    if (cut > 0) process.exitCode = EXIT.CHECK_FAILED;
  } finally {
    removePidFile();
    await server.drain(0);
  }
}

/** Opens everything that is needed, then listens. */
async function start(
  settings: Settings,
  log: Log,
  configFile: string | undefined,
): Promise<{ readonly server: Server; readonly flushLog: () => void }> {
  const { disableCoreDumps } = await import("../../src/runtime/process.ts");
  const guard = disableCoreDumps();
  if (!guard.undumpable || !guard.noCoreFile) {
    log.warn(
      { event: "core_dumps", ...guard },
      "core dumps are not disabled: they would hold keys",
    );
  }
  const { prepareServer } = await import("../prepare.ts");
  const progress = createProgress("keys:", process.stderr);
  const begun = performance.now();
  const prepared = await prepareServer(settings, { onProgress: progress.show })
    .finally(progress.clear);
  const loadedMs = Math.round(performance.now() - begun);
  for (const warning of prepared.warnings) log.warn({ event: "configuration" }, warning);

  const { startServer } = await import("../../src/server/server.ts");
  const { ServerLog } = await import("../../src/telemetry/server_log.ts");
  const serverLog = new ServerLog(log, { debug: settings.loglevel === 0 });
  const server = await startServer({
    credentials: prepared.credentials,
    listen: listenAddresses(settings),
    keystore: prepared.store,
    log: serverLog,
    limits: limitsOf(settings),
  });
  log.info({
    event: "listening",
    addresses: server.addresses,
    port: server.port,
    keys: prepared.store.keys.length,
    loadedMs,
    crypto: prepared.engine.version,
    configFile,
    pid: process.pid,
  }, "listening");
  return { server, flushLog: () => serverLog.flush() };
}

async function openLog(settings: Settings): Promise<Log> {
  const { createLog } = await import("../../src/telemetry/log.ts");
  const pretty = settings.log_format === "pretty" ||
    (settings.log_format === "auto" && process.stderr.isTTY);
  return createLog({
    level: PINO_LEVELS[settings.loglevel],
    format: pretty ? "pretty" : "json",
    destination: { write: (line) => process.stderr.write(line) },
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
    maxConnections: settings.max_connections,
    maxInFlight: settings.max_in_flight,
    handshakeMs: settings.handshake_timeout,
    idleMs: settings.idle_timeout,
    unixIdleMs: settings.unix_idle_timeout,
    writeStallMs: settings.write_timeout,
  };
}

/** Resolves with the first signal; a second one ends the process at once. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let stopping = false;
    const handle = (signal: NodeJS.Signals) => {
      if (stopping) process.exit(EXIT.CHECK_FAILED);
      stopping = true;
      resolve(signal);
    };
    process.on("SIGTERM", handle);
    process.on("SIGINT", handle);
  });
}

/** The line that tries this very server. */
function printDevHint(dev: DevDirectory, settings: Settings, server: Server): void {
  const words = [invocation(), "ping", "--dev"];
  if (process.cwd() !== dev.directory.replace(/\/keyless-dev$/, "")) {
    words.push("--dev-dir", quoted(dev.directory));
  }
  if (server.port === undefined) words.push(`unix:${quoted(settings.unix_socket)}`);
  else if (server.port !== DEFAULT_PORT) words.push(`${settings.bind}:${server.port}`);
  printText(`Try it, in another terminal:\n  ${words.join(" ")}`);
}

const DEFAULT_PORT = 2407;
