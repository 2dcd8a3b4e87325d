import { connect } from "node:net";
import type { BaseValue } from "./base_metrics.ts";
import type { Sink } from "./push.ts";

/**
 * A Graphite server that takes the plaintext protocol over TCP: one connection a push. It has what was
 * sent when it has closed its side in turn; one that does not read is found out by that.
 *
 * Source: https://graphite.readthedocs.io/en/latest/feeding-carbon.html, "The plaintext protocol"
 *
 * @param port from 1
 */
export function graphiteSink(host: string, port: number, prefix: string): Sink {
  return {
    name: "graphite",
    address: `${host.includes(":") ? `[${host}]` : host}:${port}`,
    send: (values, signal) =>
      new Promise((resolve, reject) => {
        const socket = connect({ host, port });
        const abort = () => {
          reject(signal.reason);
          socket.destroy();
        };
        signal.addEventListener("abort", abort, { once: true });
        socket.on("error", reject);
        socket.once("close", () => {
          signal.removeEventListener("abort", abort);
          resolve(); // where it has not been rejected
        });
        socket.resume(); // whatever it answers
        socket.end(graphiteLines(values, prefix, Math.floor(Date.now() / 1_000)));
        if (signal.aborted) abort();
      }),
  };
}

/** `PREFIX.NAME VALUE UNIXTIME` each; counters end in `.count`, gauges in `.value`. */
function graphiteLines(
  values: readonly BaseValue[],
  prefix: string,
  unixSeconds: number,
): string {
  return values.map(({ name, type, value }) =>
    `${prefix}.${name}${SUFFIXES[type]} ${value} ${unixSeconds}\n`
  ).join("");
}

const SUFFIXES: Readonly<Record<BaseValue["type"], string>> = {
  counter: ".count",
  gauge: ".value",
  timer: "", // its parts have names
};
