import { toHex } from "../bytes/hex.ts";
import { formatDuration, parseDuration } from "../text/duration.ts";
import { PinValue } from "./pin_value.ts";

/**
 * The attributes of PKCS#11 URIs: where each stands, and what its value is.
 *
 * Source: RFC 7512 sections 2.3 and 2.4. The last three are this program's own; max-sessions is known
 * to other key servers as well.
 */
export const URI_ATTRIBUTES = {
  "token": { part: "path", kind: "text" },
  "manufacturer": { part: "path", kind: "text" },
  "model": { part: "path", kind: "text" },
  "serial": { part: "path", kind: "text" },
  "library-manufacturer": { part: "path", kind: "text" },
  "library-description": { part: "path", kind: "text" },
  "library-version": { part: "path", kind: "version" },
  "slot-manufacturer": { part: "path", kind: "text" },
  "slot-description": { part: "path", kind: "text" },
  "slot-id": { part: "path", kind: "slot" },
  "object": { part: "path", kind: "text" },
  "type": { part: "path", kind: "type" },
  "id": { part: "path", kind: "id" },
  "pin-source": { part: "query", kind: "pinSource" },
  "pin-value": { part: "query", kind: "pinValue" },
  "module-name": { part: "query", kind: "moduleName" },
  "module-path": { part: "query", kind: "path" },
  "max-sessions": { part: "query", kind: "sessions" },
  "min-sessions": { part: "query", kind: "sessions" },
  "wait": { part: "query", kind: "duration" },
} as const satisfies Record<string, AttributeRow>;

interface AttributeRow {
  readonly part: UriPart;
  readonly kind: Kind;
}

export type UriPart = "path" | "query";
export type AttributeName = keyof typeof URI_ATTRIBUTES;
type Kind = keyof typeof KINDS;

/** The value that an attribute has, once it is read. */
export type AttributeValue<Name extends AttributeName> = ReturnType<
  (typeof KINDS)[(typeof URI_ATTRIBUTES)[Name]["kind"]]["read"]
>;

/** CK_VERSION: 0 to 255 each. */
export interface LibraryVersion {
  readonly major: number;
  readonly minor: number;
}

/** Where a PIN is to be had. */
export type PinSource =
  /** An absolute path; the first line of the file counts. */
  | { readonly from: "file"; readonly path: string }
  /** The name of a variable of the environment. */
  | { readonly from: "env"; readonly name: string };

export type ObjectType = (typeof OBJECT_TYPES)[number];

/**
 * Reads a value whose percent-encoding is undone.
 *
 * @throws Error that says what the value must be, without quoting it
 */
export function readValue<Name extends AttributeName>(
  name: Name,
  bytes: Uint8Array,
): AttributeValue<Name> {
  return KINDS[URI_ATTRIBUTES[name].kind].read(bytes) as AttributeValue<Name>;
}

/** The bytes that `readValue` reads; undefined of a secret. */
export function writeValue<Name extends AttributeName>(
  name: Name,
  value: AttributeValue<Name>,
): Uint8Array | undefined {
  const written = KINDS[URI_ATTRIBUTES[name].kind].write(value as never);
  return typeof written === "string" ? new TextEncoder().encode(written) : written;
}

/** PKCS#11's kinds of objects that a URI can name: RFC 7512 section 2.3, "type". */
export const OBJECT_TYPES = ["public", "private", "cert", "secret-key", "data"] as const;

/** What one token may be asked for: a thread is kept for each. */
export const MAX_SESSIONS = 256;

/** What takes three times as long has hung, and timers can tell. */
const MAX_WAIT_MS = 7 * 86_400_000;

interface ValueKind<Value> {
  readonly read: (bytes: Uint8Array) => Value;
  readonly write: (value: Value) => string | Uint8Array | undefined;
}

const KINDS = {
  text: { read: readText, write: (text) => text } satisfies ValueKind<string>,
  id: { read: (bytes) => bytes, write: (bytes) => bytes } satisfies ValueKind<Uint8Array>,
  type: { read: readType, write: (type) => type } satisfies ValueKind<ObjectType>,
  version: {
    read: readVersion,
    write: ({ major, minor }) => `${major}.${minor}`,
  } satisfies ValueKind<LibraryVersion>,
  slot: {
    read: (bytes) => readNumber(bytes, 0, Number.MAX_SAFE_INTEGER),
    write: String,
  } satisfies ValueKind<number>,
  sessions: {
    read: (bytes) => readNumber(bytes, 1, MAX_SESSIONS),
    write: String,
  } satisfies ValueKind<number>,
  duration: {
    read: readWait,
    write: formatDuration,
  } satisfies ValueKind<number>,
  path: { read: readPath, write: (path) => path } satisfies ValueKind<string>,
  moduleName: { read: readModuleName, write: (name) => name } satisfies ValueKind<string>,
  pinSource: {
    read: readPinSource,
    write: (source) => source.from === "env" ? `env:${source.name}` : `file:${source.path}`,
  } satisfies ValueKind<PinSource>,
  pinValue: {
    read: (bytes) => new PinValue(bytes),
    write: () => undefined,
  } satisfies ValueKind<PinValue>,
};

function readText(bytes: Uint8Array): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Error(
      `is not UTF-8 (${toHex(bytes.subarray(0, 8))}…); write its characters as UTF-8`,
    );
  }
  if (text.includes("\0")) throw new Error("holds a zero byte (%00); leave it out");
  return text;
}

function readType(bytes: Uint8Array): ObjectType {
  const text = readText(bytes);
  const type = OBJECT_TYPES.find((name) => name === text);
  if (type === undefined) throw new Error(`is none of ${OBJECT_TYPES.join(", ")}`);
  return type;
}

/** RFC 7512: a version without a minor part is that of minor 0. */
function readVersion(bytes: Uint8Array): LibraryVersion {
  const [, major, minor = "0"] = /^(\d{1,3})(?:\.(\d{1,3}))?$/.exec(readText(bytes)) ?? [];
  if (major === undefined || Number(major) > 255 || Number(minor) > 255) {
    throw new Error("is no version; write it like 3 or 2.40, each part at most 255");
  }
  return { major: Number(major), minor: Number(minor) };
}

function readNumber(bytes: Uint8Array, least: number, most: number): number {
  const text = readText(bytes);
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new Error(`is no whole number from ${least} to ${most}`);
}

function readWait(bytes: Uint8Array): number {
  const waitMs = parseDuration(readText(bytes), MAX_WAIT_MS);
  if (waitMs > 0) return waitMs;
  throw new Error("is no time at all; a request needs some to get a session, like 10s");
}

function readPath(bytes: Uint8Array): string {
  const path = readText(bytes);
  if (!path.startsWith("/")) throw new Error("is no absolute path; begin it with /");
  return path;
}

function readModuleName(bytes: Uint8Array): string {
  const name = readText(bytes);
  if (name !== "" && !name.includes("/")) return name;
  throw new Error("is no name of a module, like softhsm2; name a file by module-path");
}

function readPinSource(bytes: Uint8Array): PinSource {
  const text = readText(bytes);
  const path = /^(?:file:(?:\/\/)?)?(\/.*)$/s.exec(text)?.[1];
  if (path !== undefined && !path.startsWith("//")) return { from: "file", path };
  const name = /^env:([A-Za-z_][A-Za-z0-9_]*)$/.exec(text)?.[1];
  if (name !== undefined) return { from: "env", name };
  if (text.startsWith("|")) throw new Error(`is a command, which is never run; ${PIN_SOURCES}`);
  throw new Error(`is neither a file nor a variable; ${PIN_SOURCES}`);
}

const PIN_SOURCES = "write file:/path/to/pin or env:NAME_OF_A_VARIABLE";
