import { isAbsolute } from "node:path";
import process from "node:process";
import { messageOf } from "./errors.ts";
import { printable } from "./printable.ts";

/** The code of a runtime's error: "ENOENT", "CERT_HAS_EXPIRED"; undefined where it has none. */
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
  const reason = /^(.+) \(os error \d+\)/.exec(message)?.[1]; // Deno, where it is not Node
  if (reason !== undefined) return reason.charAt(0).toLowerCase() + reason.slice(1);
  return /^E[A-Z0-9]+: (.+?), [a-z]+(?: |$)/.exec(message)?.[1] ?? message;
}

/**
 * What the system said of a path; for one that is not there, also what is not plain to see: where a
 * relative path was looked for, and that a name which is not UTF-8 cannot be asked for. Printable.
 */
export function pathReason(path: string, thrown: unknown): string {
  const reason = systemReason(thrown);
  if (systemCode(thrown) !== "ENOENT") return printable(reason);
  if (path === "") return "the name is empty";
  if (path.includes(REPLACEMENT)) return "its name is not UTF-8; rename it";
  return isAbsolute(path) ? reason : `${reason} (looked in ${printable(currentDirectory())})`;
}

function currentDirectory(): string {
  try {
    return process.cwd();
  } catch {
    return "a directory that was removed";
  }
}

/** What stands in a name that a directory gives where its bytes are not UTF-8. */
const REPLACEMENT = "\ufffd";
