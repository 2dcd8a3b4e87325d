import { Buffer } from "node:buffer";
import type { ConnectionOptions } from "node:tls";
import type { Keystore, Signer } from "../../src/keystore/keystore.ts";
import { Authority, type IssueRequest } from "../../src/pki/authority.ts";
import { type Server, type ServerOptions, startServer } from "../../src/server/server.ts";
import { MainMetrics } from "../../src/telemetry/main_metrics.ts";
import type { MetricSnapshot } from "../../src/telemetry/metrics/registry.ts";
import { ServerMetrics } from "../../src/telemetry/server_metrics.ts";
import { ServerLog } from "../../src/telemetry/server_log.ts";
import { MemoryLog } from "./memory_log.ts";

/** An authority with a server's and a client's certificate, made once for a test file. */
export class TestPki {
  readonly authority: Authority;
  readonly credentials: ServerOptions["credentials"];
  /** What a good client gives to `tls.connect`. */
  readonly client: ConnectionOptions;

  private constructor(
    authority: Authority,
    credentials: ServerOptions["credentials"],
    client: ConnectionOptions,
  ) {
    this.authority = authority;
    this.credentials = credentials;
    this.client = client;
  }

  static async create(): Promise<TestPki> {
    const authority = await Authority.create("test authority");
    const server = await authority.issue({
      commonName: "test server",
      usages: ["server"],
      names: ["localhost", "127.0.0.1"],
    });
    const credentials = {
      certificate: Buffer.from(server.certificatePem),
      key: Buffer.from(server.keyPem),
      clientAuthority: Buffer.from(authority.certificatePem),
    };
    const client = await clientOptions(authority, authority);
    return new TestPki(authority, credentials, client);
  }

  /** A client with another certificate: of another authority, or with another validity or usage. */
  otherClient(
    request: Partial<IssueRequest>,
    issuer: Authority = this.authority,
  ): Promise<ConnectionOptions> {
    return clientOptions(issuer, this.authority, request);
  }
}

export interface TestServer {
  readonly server: Server;
  readonly port: number;
  readonly log: MemoryLog;
  /** What it has counted, and what its observer has. */
  snapshot(): readonly MetricSnapshot[];
}

/** A server on a loopback port that the system chose. */
export async function startTestServer(
  pki: TestPki,
  options: Partial<Omit<ServerOptions, "metrics">> = {},
): Promise<TestServer> {
  const log = new MemoryLog();
  const observer = new MainMetrics();
  const metrics = new ServerMetrics(observer);
  const server = await startServer({
    credentials: pki.credentials,
    listen: [{ host: "127.0.0.1", port: 0 }],
    keystore: EMPTY_STORE,
    log: new ServerLog(log),
    ...options,
    metrics,
  });
  const snapshot = () => [...metrics.registry.snapshot(), ...observer.registry.snapshot()];
  return { server, port: server.port ?? 0, log, snapshot };
}

export const EMPTY_STORE: Keystore = { find: () => undefined };

/** A store that gives the same signer for every query that names a SKI. */
export function storeOf(signer: Pick<Signer, "sign" | "decrypt">): Keystore {
  return { find: ({ ski }) => ski === undefined ? undefined : signer as Signer };
}

async function clientOptions(
  issuer: Authority,
  trusted: Authority,
  request: Partial<IssueRequest> = {},
): Promise<ConnectionOptions> {
  const issued = await issuer.issue({
    commonName: "test client",
    usages: ["client"],
    ...request,
  });
  return { cert: issued.certificatePem, key: issued.keyPem, ca: trusted.certificatePem };
}
