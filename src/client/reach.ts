import { lookup } from "node:dns";
import { connect as connectRaw, type Socket, type TcpSocketConnectOpts } from "node:net";
import { systemCode, systemReason } from "../errors/system.ts";
import { endpointText } from "./endpoint.ts";
import { TransportError } from "./errors.ts";
import { type Patience, withinTime } from "./step.ts";
import { handshakeError } from "./tls_refusal.ts";

/** A place that a socket can be connected to. */
export type Goal = TcpSocketConnectOpts | { readonly path: string };

/**
 * The addresses of a host.
 *
 * @throws TransportError "RESOLVE"; KeylessError "ABORTED"
 */
export function resolve(host: string, port: number, patience: Patience): Promise<Goal[]> {
  return withinTime<Goal[]>(patience, {
    late: (ms) =>
      new TransportError("RESOLVE", `no address for ${host} within ${ms} ms; see the name servers`),
    start: (done, fail) => {
      lookup(host, { all: true }, (error, addresses) => {
        if (error === null) return done(addresses.map(({ address }) => ({ host: address, port })));
        fail(
          new TransportError(
            "RESOLVE",
            `${host} has no address (${systemCode(error)}); see its spelling, and the name servers`,
            { cause: error },
          ),
        );
      });
    },
  });
}

/**
 * A socket to the first place that answers; the time that is left is shared among those not yet
 * tried.
 *
 * @throws TransportError "CONNECT", of the last place, or "TLS_REFUSED" where that accepts and
 *   resets; KeylessError "ABORTED"
 */
export async function connectAny(goals: readonly Goal[], patience: Patience): Promise<Socket> {
  for (let left = goals.length; left > 1; left--) {
    const nowMs = performance.now();
    const shareMs = (patience.deadlineMs - nowMs) / left;
    try {
      return await connect(goals.at(-left)!, { ...patience, deadlineMs: nowMs + shareMs });
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
    }
  }
  return await connect(goals.at(-1)!, patience);
}

function connect(goal: Goal, patience: Patience): Promise<Socket> {
  const socket = connectRaw(goal);
  const where = endpointText(patience.endpoint);
  return withinTime<Socket>(patience, {
    late: (ms) =>
      new TransportError(
        "CONNECT",
        `${where} does not answer: no connection within ${ms} ms; ` +
          "see the address, and whether a firewall drops the packets",
      ),
    start: (done, fail) => {
      socket.on("error", (error) => fail(connectError(error, where)));
      socket.once("connect", () => done(socket));
    },
    stop: () => socket.destroy(),
  });
}

function connectError(error: Error, where: string): TransportError {
  // who resets has accepted before: a matter of luck whether "connect" is told in between
  if (systemCode(error) === "ECONNRESET") return handshakeError(error, where);
  const mend = CONNECT_MENDS[systemCode(error) ?? ""];
  const reason = mend ?? `cannot be reached: ${systemReason(error)}`;
  return new TransportError("CONNECT", `${where}: ${reason}`, { cause: error });
}

const CONNECT_MENDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused: nothing listens there; " +
    "is the server running, and is this its address?",
  ENOENT: "no such socket: is the server running, and is this its path?",
  EACCES: "permission denied: only the user that the server runs as may use its socket",
  EHOSTUNREACH: "the host cannot be reached; see the address and the routes",
  ENETUNREACH: "the network cannot be reached; see the address and the routes",
};
