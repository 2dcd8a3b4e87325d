import { type AddressInfo, createServer, type ListenOptions, type Server } from "node:net";
import { listenError, type ListenFlags } from "./listen_error.ts";

/** A TCP port (0: the system chooses) of a host ("": all addresses, IPv4 and IPv6). */
export interface PortAddress {
  readonly host: string;
  readonly port: number;
  /** Whether others that say so too may listen there as well: the system spreads connections. */
  readonly reusePort?: boolean;
}

/** @throws KeylessError "LISTEN" */
export async function listenOnPort(
  server: Server,
  { host, port, reusePort = false }: PortAddress,
  flags?: ListenFlags,
): Promise<void> {
  try {
    await listening(server, { port, ...(host === "" ? {} : { host }), reusePort });
  } catch (error) {
    throw listenError(`${host === "" ? "" : `${host} `}port ${port}`, "port", error, flags);
  }
}

/**
 * Sees to it that nobody listens on a port, before several workers share it with `reusePort`: whoever
 * shares it would be let in beside them, a second server of the same user for one.
 *
 * @returns the address with the port that the system has chosen, where it was 0
 * @throws KeylessError "LISTEN"
 */
export async function claimPort(
  { host, port }: PortAddress,
  flags?: ListenFlags,
): Promise<{ readonly host: string; readonly port: number }> {
  const server = createServer();
  await listenOnPort(server, { host, port }, flags);
  const { port: claimed } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return { host, port: claimed };
}

/** Resolves when the server listens; rejects with the runtime's error. */
export function listening(server: Server, options: ListenOptions & { fd?: number }): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
