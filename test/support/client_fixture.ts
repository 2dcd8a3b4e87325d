import assert from "node:assert/strict";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import { Connection, type ConnectionOptions } from "../../src/client/connection.ts";
import { type CredentialPems, readCredentials } from "../../src/client/credentials.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import type { TestPki } from "./test_server.ts";

/** What the client takes, of what `tls.connect` takes. */
export function pemsOf({ cert, key, ca }: TlsOptions): CredentialPems {
  return { certificate: cert as string, key: key as string, ca: ca as string };
}

/** A connection to a loopback port, as a good client. */
export function openConnection(
  pki: TestPki,
  port: number,
  options: Partial<ConnectionOptions> = {},
): Promise<Connection> {
  return Connection.open({
    endpoint: { kind: "tcp", host: "127.0.0.1", port },
    credentials: readCredentials(pemsOf(pki.client)),
    timeoutMs: 4_000,
    ...options,
  });
}

/** The KeylessError that a promise rejects with; fails for anything else. */
export async function rejection(promise: Promise<unknown>): Promise<KeylessError> {
  const error = await promise.then(() => "nothing", (thrown: unknown) => thrown);
  assert.ok(error instanceof KeylessError, `rejects with a KeylessError, not with ${error}`);
  return error;
}
