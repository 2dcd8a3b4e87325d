import { KeylessError, messageOf } from "../errors/errors.ts";
import { systemCode, systemReason } from "../errors/system.ts";

/** What the operator can set: each follows a verb like "choose" or "check". */
export interface ListenFlags {
  readonly port: string;
  readonly bind: string;
  readonly path: string;
}

/**
 * Why an address or a path cannot be listened on, and what would mend it.
 *
 * @param where "127.0.0.1 port 2407", or a path; printable
 */
export function listenError(
  where: string,
  kind: "port" | "path",
  cause: unknown,
  flags: ListenFlags = SERVER_FLAGS,
): KeylessError {
  const code = systemCode(cause) ?? (FAILED_LOOK_UP.test(messageOf(cause)) ? "ENOTFOUND" : "");
  const reason = REASONS[kind][code]?.(flags) ?? systemReason(cause);
  return new KeylessError("LISTEN", `cannot listen on ${where}: ${reason}`, { cause });
}

/** Of the key server itself. */
const SERVER_FLAGS: ListenFlags = {
  port: "another --port",
  bind: "--bind",
  path: "another --unix-socket",
};

const noSuchAddress = ({ bind }: ListenFlags) =>
  `this machine has no such address; name one of its own with ${bind}`;

/** All that Bun says of a name without an address. */
const FAILED_LOOK_UP = /^Failed to listen at /;

type Reason = (flags: ListenFlags) => string;

/** By the system's code. */
const REASONS: Readonly<Record<"port" | "path", Readonly<Record<string, Reason>>>> = {
  port: {
    EACCES: ({ port }) =>
      `this user may not use ports below 1024; choose ${port}, or give the executable ` +
      "the right: setcap cap_net_bind_service=+ep FILE",
    EADDRINUSE: ({ port }) => `another process listens there; stop that one, or choose ${port}`,
    EADDRNOTAVAIL: noSuchAddress,
    EINVAL: noSuchAddress, // as Deno has it
    ENOTFOUND: ({ bind }) => `the name has no address; check ${bind}`,
  },
  path: {
    EACCES: ({ path }) => `this user may not write to its directory; choose ${path}`,
    ENOENT: ({ path }) => `its directory does not exist; make it, or choose ${path}`,
    ENOTDIR: ({ path }) => `its directory is a file; choose ${path}`,
  },
};
