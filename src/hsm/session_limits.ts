import { tokenPart } from "./select_token.ts";
import { formatUri, type Pkcs11Uri } from "./uri.ts";

/** The sessions of a token that sign: how many stay open, and how many may be. */
export interface SessionLimits {
  readonly minSessions: number;
  readonly maxSessions: number;
}

/**
 * The sessions of the token that these URIs name, besides the one that keeps the login. There is one
 * that signs in any case, as gokeyless has it.
 */
export function sessionsOfToken(uris: readonly Pkcs11Uri[]): SessionLimits {
  const most = Math.max(...uris.map((uri) => uri["max-sessions"] ?? DEFAULT_SESSIONS));
  const least = Math.max(...uris.map((uri) => uri["min-sessions"] ?? 1));
  const maxSessions = Math.max(2, most) - 1;
  return { minSessions: Math.min(least, maxSessions), maxSessions };
}

/** The sessions that sign of all tokens of one module. */
export function sessionsOfModule(uris: readonly Pkcs11Uri[]): number {
  const tokens = Map.groupBy(uris, (uri) => formatUri(tokenPart(uri)));
  return sum([...tokens.values()].map((uris) => sessionsOfToken(uris).maxSessions));
}

/** How long a request may wait for a session of the token that these URIs name. */
export function waitOf(uris: readonly Pkcs11Uri[]): number {
  return Math.max(...uris.map((uri) => uri.wait ?? DEFAULT_WAIT_MS));
}

/**
 * How long an operation may take before a module counts as hung, given how long requests may wait. One
 * that may wait for an hour does so for a session, not in it.
 */
export function signTimeoutOf(waitMs: number): number {
  return Math.min(Math.max(HUNG_AFTER_WAITS * waitMs, LEAST_SIGN_TIMEOUT_MS), MOST_SIGN_TIMEOUT_MS);
}

/** The files that a main program has open, at most, for the modules that these URIs name. */
export function openFilesOf(uris: readonly Pkcs11Uri[]): number {
  const modules = Map.groupBy(uris, ({ "module-path": path, "module-name": name }) => {
    return `${path}\n${name}`;
  });
  const files = [...modules.values()].map((uris) => FILES_OF_MODULE + sessionsOfModule(uris));
  return sum(files);
}

const sum = (numbers: readonly number[]) => numbers.reduce((one, other) => one + other, 0);

const DEFAULT_SESSIONS = 16;
const DEFAULT_WAIT_MS = 10_000;
const HUNG_AFTER_WAITS = 3;
const LEAST_SIGN_TIMEOUT_MS = 5_000;
const MOST_SIGN_TIMEOUT_MS = 60_000;
/** Its process's streams and answers; each session has a socket besides. */
const FILES_OF_MODULE = 4;
