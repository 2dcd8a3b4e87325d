import { KeylessError, messageOf } from "../errors/errors.ts";
import { systemCode, systemReason } from "../errors/system.ts";

/**
 * Why an address or a path cannot be listened on, and what would mend it.
 *
 * @param where "127.0.0.1 port 2407", or a path; printable
 */
export function listenError(where: string, kind: "port" | "path", cause: unknown): KeylessError {
  const code = systemCode(cause) ?? (FAILED_LOOK_UP.test(messageOf(cause)) ? "ENOTFOUND" : "");
  const reason = REASONS[kind][code] ?? systemReason(cause);
  return new KeylessError("LISTEN", `cannot listen on ${where}: ${reason}`, { cause });
}

const NO_SUCH_ADDRESS = "this machine has no such address; name one of its own with --bind";

/** All that Bun says of a name without an address. */
const FAILED_LOOK_UP = /^Failed to listen at /;

/** By the system's code. */
const REASONS: Readonly<Record<"port" | "path", Readonly<Record<string, string>>>> = {
  port: {
    EACCES:
      "this user may not use ports below 1024; choose another --port, or give the executable " +
      "the right: setcap cap_net_bind_service=+ep FILE",
    EADDRINUSE: "another process listens there; stop that one, or choose another --port",
    EADDRNOTAVAIL: NO_SUCH_ADDRESS,
    EINVAL: NO_SUCH_ADDRESS, // as Deno has it
    ENOTFOUND: "the name has no address; check --bind",
  },
  path: {
    EACCES: "this user may not write to its directory; choose another --unix-socket",
    ENOENT: "its directory does not exist; make it, or choose another --unix-socket",
    ENOTDIR: "its directory is a file; choose another --unix-socket",
  },
};
