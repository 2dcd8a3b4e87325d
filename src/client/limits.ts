import { KeylessError } from "../errors/errors.ts";

/** @throws KeylessError "USAGE" for a number of requests that is none; `name` begins the message */
export function checkLimit(name: string, limit: number): void {
  if (Number.isSafeInteger(limit) && limit >= 1) return;
  throw new KeylessError("USAGE", `${name} is a whole number from 1 on, not ${limit}`);
}

/** @throws KeylessError "USAGE" for milliseconds that are none; `name` begins the message */
export function checkTimeout(name: string, timeoutMs: number): void {
  if (typeof timeoutMs === "number" && timeoutMs > 0) return;
  throw new KeylessError("USAGE", `${name} is a number of milliseconds above 0, not ${timeoutMs}`);
}
