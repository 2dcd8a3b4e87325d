import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { MetricSample } from "../../src/telemetry/metrics/base_metrics.ts";

/** How a sink behaves: takes what comes, takes it and never answers, or answers something else. */
export type Manner = "good" | "silent" | { readonly status: number; readonly location?: string };

/** A POST that a sink took. */
export interface Post {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** What is common to sinks on a loopback port, which can go down and come back there. */
abstract class TestSink<Item> {
  readonly items: Item[] = [];
  connections = 0;
  mostConnections = 0;
  port = 0;
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Set<() => void>();
  #server: Server | undefined;

  /** Listens, at the same port as before if it did before. */
  async open(): Promise<void> {
    const server = this.#server = this.createServer();
    server.on("connection", (socket: Socket) => this.#connected(socket));
    await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve));
    this.port = (server.address() as AddressInfo).port;
  }

  /** Cuts its connections and listens no more. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  /** Waits until this holds; it is asked whenever something happens here. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  /** Waits for the first item of these after those that came already. */
  async next(passes: (item: Item) => boolean = () => true): Promise<Item> {
    const from = this.items.length;
    await this.until(() => this.items.slice(from).some(passes));
    return this.items.slice(from).find(passes)!;
  }

  protected abstract createServer(): Server;

  protected took(item: Item): void {
    this.items.push(item);
    this.wake();
  }

  protected wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  #connected(socket: Socket): void {
    this.connections++;
    this.mostConnections = Math.max(this.mostConnections, this.connections);
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => {
      this.connections--;
      this.#sockets.delete(socket);
      this.wake();
    });
    this.wake();
  }
}

/** A Graphite server: its items are the texts of whole pushes. */
export class GraphiteSink extends TestSink<string> {
  manner: "good" | "silent" = "good";

  protected createServer(): Server {
    return createServer({ allowHalfOpen: true }, (socket) => {
      if (this.manner === "silent") return void socket.pause();
      let text = "";
      socket.on("data", (chunk) => text += String(chunk));
      socket.on("end", () => {
        socket.end();
        this.took(text);
      });
    });
  }
}

/** A web server that takes POSTs. */
export class HttpSink extends TestSink<Post> {
  manner: Manner = "good";

  protected createServer(): Server {
    return createHttpServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => body += String(chunk));
      request.on("end", () => {
        const { method = "", url = "", headers } = request;
        const { manner } = this;
        if (typeof manner === "object") {
          const { status, location } = manner;
          response.writeHead(status, location === undefined ? {} : { location });
        }
        if (manner !== "silent") response.end("thank you");
        this.took({ method, url, headers, body });
      });
    });
  }
}

/** The JSON form of a POST. */
export function samplesOf(post: Post): MetricSample[] {
  return JSON.parse(post.body);
}
