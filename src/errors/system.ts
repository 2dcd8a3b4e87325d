import { messageOf } from "./errors.ts";

/** The system's code of a failed call: "ENOENT"; undefined for errors that are not the system's. */
export function systemCode(thrown: unknown): string | undefined {
  const code = thrown instanceof Error ? (thrown as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : undefined;
}

/**
 * What the system said, without the call and the path that follow: "permission denied". The whole
 * text of errors that are not the system's.
 */
export function systemReason(thrown: unknown): string {
  const message = messageOf(thrown);
  return /^E[A-Z0-9]+: (.+?), [a-z]+(?: |$)/.exec(message)?.[1] ?? message;
}
