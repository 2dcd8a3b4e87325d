import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";

/** Where an HTTP server is: a port of loopback or a UNIX socket; with TLS where options are given. */
export interface HttpTarget {
  readonly port?: number | undefined;
  readonly path?: string;
  readonly tls?: ConnectionOptions;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly bytes: Uint8Array;
}

/** Asks with a header of Host and those given, and reads up to the end of the connection. */
export async function askHttp(
  target: HttpTarget,
  request: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpAnswer> {
  const lines = Object.entries({ Host: "localhost", ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return await sendHttp(target, `${request} HTTP/1.1\r\n${lines.join("")}\r\n`);
}

/** Sends what it is given. */
export async function sendHttp(target: HttpTarget, text: string): Promise<HttpAnswer> {
  const socket = await openHttp(target);
  socket.write(text);
  return readAnswer(await readToEnd(socket));
}

/** A connection, its handshake done; what breaks it later is no error of the test. */
export async function openHttp({ port, path, tls }: HttpTarget): Promise<Socket> {
  const where = path === undefined ? { host: "127.0.0.1", port: port ?? 0 } : { path };
  if (tls === undefined) {
    const socket = connect(where);
    await once(socket, "connect");
    return socket.on("error", () => {});
  }
  const socket = connectTls({ ...where, servername: "localhost", ...tls });
  await once(socket, "secureConnect");
  return socket.on("error", () => {});
}

/** Resolves when a connection is gone, however it went. */
export async function closed(socket: Socket): Promise<void> {
  if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
}

/** All bytes up to the end; rejects with what broke the connection before any came. */
export async function readToEnd(socket: Socket): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    socket.on("error", (error) => chunks.length === 0 ? reject(error) : resolve());
    socket.on("close", () => resolve());
  });
  socket.destroy();
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

function readAnswer(bytes: Uint8Array): HttpAnswer {
  const text = new TextDecoder("latin1").decode(bytes);
  const headEnd = text.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = text.slice(0, headEnd).split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const body = bytes.slice(headEnd + 4);
  return {
    status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]),
    headers,
    body: new TextDecoder().decode(body),
    bytes: body,
  };
}
