import { availableParallelism } from "node:os";
import type { Settings } from "../src/config/settings.ts";
import { openFilesOf } from "../src/hsm/session_limits.ts";
import { disableCoreDumps, raiseOpenFileLimit } from "../src/runtime/process.ts";
import { HTTP_LIMITS } from "../src/status/http_limits.ts";
import type { Log } from "../src/telemetry/log.ts";

/**
 * Keeps keys out of core dumps, and the system from running out of open files: runtimes that meet
 * that limit spin (Bun) or never accept again (Deno).
 *
 * @returns the connections that there are open files for, `max_connections` at most
 */
export function hardenProcess(settings: Settings, workers: number, log: Log): number {
  const guard = disableCoreDumps();
  if (!guard.undumpable || !guard.noCoreFile) {
    log.warn(
      { event: "core_dumps", ...guard },
      "core dumps are not disabled: they would hold keys",
    );
  }
  const limit = raiseOpenFileLimit() ?? Infinity;
  const uris = settings.private_key_stores.flatMap((entry) => "uri" in entry ? [entry.uri] : []);
  const others = threadFiles(workers) + OTHER_OPEN_FILES + openFilesOf(uris);
  const left = limit - others - httpConnections(settings);
  const connections = Math.max(1, Math.min(settings.max_connections, left));
  if (connections < settings.max_connections) {
    log.warn(
      { event: "open_files", limit, maxConnections: settings.max_connections },
      `the limit of open files allows ${connections} connections, fewer than max_connections; ` +
        "raise it (ulimit -n, LimitNOFILE), or lower max_connections",
    );
  }
  return connections;
}

/** Of workers, with a listener on a port and on a socket each, and of a signing thread for each core. */
function threadFiles(workers: number): number {
  return workers * FILES_OF_WORKER + availableParallelism() * FILES_OF_SIGNING_THREAD;
}

/** What the metrics port and the status port may have open at most. */
function httpConnections({ metrics_port: metricsPort, status }: Settings): number {
  const ports = [metricsPort !== "off", status !== ""].filter((isOpen) => isOpen).length;
  return ports * (HTTP_LIMITS.maxConnections + HTTP_LIMITS.maxWaiting);
}

/** Listeners of the main thread, standard streams, what the runtime itself opens. */
const OTHER_OPEN_FILES = 64;
/** Its event loop has two, and each of its listeners one. */
const FILES_OF_WORKER = 4;
const FILES_OF_SIGNING_THREAD = 2;
