import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A span as a collector gets it. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly status: { readonly code: number; readonly message?: string };
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number };
}

interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly CollectedSpan[] }[];
  }[];
}

/** How a collector answers; by default as it should. */
export type Behaviour = (response: ServerResponse) => void;

/** A collector of OTLP over HTTP, on loopback. */
export class FakeCollector {
  readonly spans: CollectedSpan[] = [];
  /** The headers of every export, and the attributes of its resource. */
  readonly exports: { readonly headers: IncomingMessage["headers"]; readonly resource: object }[] =
    [];
  behaviour: Behaviour = accept;
  readonly #server: Server;
  readonly #waiting = new Set<() => void>();

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: string[] = [];
      request.setEncoding("utf8").on("data", (chunk: string) => chunks.push(chunk));
      request.on("end", () => this.#take(request, chunks.join(""), response));
    });
  }

  /** @param port where it shall listen; the system chooses where it is left out */
  static async start(port = 0): Promise<FakeCollector> {
    const collector = new FakeCollector();
    await new Promise<void>((resolve) =>
      collector.#server.listen(port, "127.0.0.1", () => resolve())
    );
    return collector;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/v1/traces`;
  }

  /** Resolves once it has spans of so many requests: each has one without the kind "internal". */
  async requests(count: number): Promise<readonly CollectedSpan[]> {
    while (true) {
      const requests = this.spans.filter(({ kind }) => kind === KIND_SERVER);
      if (requests.length >= count) return requests;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Resolves with the next export, whatever it is answered. */
  async nextExport(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  childrenOf(parent: CollectedSpan): readonly CollectedSpan[] {
    return this.spans.filter(({ parentSpanId }) => parentSpanId === parent.spanId);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #take(request: IncomingMessage, body: string, response: ServerResponse): void {
    const { resourceSpans } = JSON.parse(body) as Export;
    for (const { resource, scopeSpans } of resourceSpans) {
      this.exports.push({ headers: request.headers, resource: valuesOf(resource) });
      if (this.behaviour === accept) this.spans.push(...scopeSpans.flatMap(({ spans }) => spans));
    }
    if (request.method === "POST" && request.url === "/v1/traces") this.behaviour(response);
    else response.writeHead(404).end();
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** What an attribute list says, by name. */
export function valuesOf(
  { attributes }: { readonly attributes: readonly Attribute[] },
): Readonly<Record<string, string | number | undefined>> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue]),
  );
}

/** Where a span begins and ends, in nanoseconds. */
export function extentOf(span: CollectedSpan): { readonly start: bigint; readonly end: bigint } {
  return { start: BigInt(span.startTimeUnixNano), end: BigInt(span.endTimeUnixNano) };
}

export function accept(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json" }).end("{}");
}

const KIND_SERVER = 2;
