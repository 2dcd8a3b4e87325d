import { Connection } from "../client/connection.ts";
import { endpointText } from "../client/endpoint.ts";
import { KeylessError } from "../errors/errors.ts";
import { printable } from "../errors/printable.ts";
import type { BenchPlan } from "./plan.ts";
import type { BenchRequest } from "./requests.ts";

/**
 * Asks every operation with every key once, so that a load is not spent on what cannot be done.
 *
 * @throws KeylessError as `Connection.request`, with operation and key; "CHECK_FAILED" for an answer
 *   that is wrong
 */
export async function probe(
  plan: BenchPlan,
  requests: readonly (readonly BenchRequest[])[],
  signal: AbortSignal,
): Promise<void> {
  const { endpoint, credentials, serverName, timeoutMs } = plan;
  const options = { timeoutMs, signal };
  const connection = await Connection.open({ endpoint, credentials, serverName, ...options });
  try {
    await Promise.all(plan.operations.map(async ({ name }, at) => {
      for (const request of requests[at]!.slice(0, MAX_KEYS)) {
        const reply = await connection.request(request.operation, options).catch((thrown) => {
          throw named(thrown, name, request);
        });
        if (request.isRight(reply.payload ?? NOTHING) !== false) continue;
        const message = `${endpointText(endpoint)} answered wrongly`;
        throw named(new KeylessError("CHECK_FAILED", message), name, request);
      }
    }));
  } finally {
    connection.close();
  }
}

/** Of each operation: the rest is found out by the load. */
const MAX_KEYS = 100;
const NOTHING = new Uint8Array(0);

function named(thrown: unknown, name: string, { key }: BenchRequest): unknown {
  if (!(thrown instanceof KeylessError)) return thrown;
  const asked = key === undefined ? name : `${name} with ${printable(key.label)}`;
  return new KeylessError(thrown.code, `${asked}: ${thrown.message}`, { cause: thrown });
}
