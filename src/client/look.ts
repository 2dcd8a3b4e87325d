import { X509Certificate } from "node:crypto";
import { connect as connectTls } from "node:tls";
import { KeylessError } from "../errors/errors.ts";
import { type DialOptions, reach, serverNameOf, sniOf } from "./dial.ts";
import { withinTime } from "./step.ts";

/**
 * The certificate that a server shows, whether it is to be trusted or not: for messages that explain
 * why a handshake failed. Not a byte of the protocol is sent; the connection ends with the handshake.
 *
 * @returns undefined where the server shows none
 */
export async function lookAtCertificate(
  options: DialOptions,
): Promise<X509Certificate | undefined> {
  const patience = { ...options, deadlineMs: performance.now() + options.timeoutMs };
  const name = options.serverName ?? serverNameOf(options.endpoint);
  try {
    const raw = await reach(patience);
    const socket = connectTls({
      socket: raw,
      secureContext: options.credentials.secureContext,
      host: name,
      servername: sniOf(name),
      rejectUnauthorized: false, // what is shown is looked at, never believed
    });
    const stop = () => {
      socket.destroy();
      raw.destroy();
    };
    return await withinTime<X509Certificate>(patience, {
      late: () => new KeylessError("DEADLINE", "no certificate in time"),
      start: (done, fail) => {
        socket.on("error", fail);
        socket.once("close", () => fail(new KeylessError("TLS_REFUSED", "no certificate")));
        socket.once("secureConnect", () => {
          try {
            done(new X509Certificate(socket.getPeerCertificate().raw));
          } catch (error) {
            fail(error);
          }
          stop();
        });
      },
      stop,
    });
  } catch {
    return undefined;
  }
}
