import { Buffer } from "node:buffer";
import { type ClientRequest, request as requestPlain } from "node:http";
import { Agent, request as requestTls } from "node:https";
import { getCACertificates } from "node:tls";
import { toSamples } from "./base_metrics.ts";
import type { Sink } from "./push.ts";

/**
 * A URL that the JSON form is POSTed to: one connection a push. Every answer but 2xx is a failure,
 * a redirect too; the answer's body is dropped.
 *
 * @param url of http or https; its credentials become basic authentication
 */
export function httpSink(url: string, prefix: string): Sink {
  const target = new URL(url);
  const open = opener(target);
  return {
    name: "url",
    address: target.origin, // path and query may hold tokens
    send: (values, signal) => {
      const samples = toSamples(values, prefix, Math.floor(Date.now() / 1_000));
      return post(open, Buffer.from(JSON.stringify(samples)), signal);
    },
  };
}

type Open = (headers: Readonly<Record<string, string | number>>) => ClientRequest;

/** For https the authorities of the system are trusted, and the runtime's own. */
function opener(target: URL): Open {
  if (target.protocol === "http:") {
    return (headers) => requestPlain(target, { method: "POST", agent: false, headers });
  }
  const ca = [...getCACertificates("default"), ...getCACertificates("system")];
  const agent = new Agent({ ca, keepAlive: false });
  return (headers) => requestTls(target, { method: "POST", agent, headers });
}

function post(open: Open, body: Buffer, signal: AbortSignal): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const request = open({ "content-type": "application/json", "content-length": body.length });
    const abort = () => {
      reject(signal.reason);
      request.destroy();
    };
    signal.addEventListener("abort", abort, { once: true });
    request.on("response", (response) => {
      const { statusCode = 0 } = response;
      response.on("error", () => {}); // of the body, that nobody reads
      response.destroy();
      if (statusCode >= 200 && statusCode < 300) resolve();
      else reject(new Error(`it answers with status ${statusCode}`));
    });
    request.on("error", reject);
    request.once("close", () => {
      signal.removeEventListener("abort", abort);
      reject(new Error("it closes the connection without an answer")); // if nothing else was
    });
    request.end(body);
    if (signal.aborted) abort();
  });
}
