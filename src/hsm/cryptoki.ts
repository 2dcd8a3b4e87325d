/** The packages for PKCS#11, which are optional, and the errors of their calls. */
import { Buffer } from "node:buffer";
import type * as graphene from "graphene-pk11";
import type * as pkcs11js from "pkcs11js";
import { type ErrorCode } from "../errors/table.ts";
import { KeylessError, messageOf } from "../errors/errors.ts";

export type Graphene = typeof graphene;
export type Pkcs11js = typeof pkcs11js;

/** A handle of a session, object or slot: CK_ULONG, in the machine's order. */
export type Handle = Buffer;

/** @throws KeylessError "HSM_MODULE" where it cannot be loaded */
export function loadGraphene(): Promise<Graphene> {
  return load(() => import("graphene-pk11"));
}

/**
 * The calls beneath graphene.
 *
 * @throws KeylessError "HSM_MODULE" where they cannot be loaded
 */
export function loadPkcs11js(): Promise<Pkcs11js> {
  return load(() => import("pkcs11js"));
}

/**
 * The name that PKCS#11 gives to what went wrong, "CKR_PIN_INCORRECT"; of what a vendor has added, its
 * number, "CKR_0x80000001". Undefined of other errors.
 */
export function ckrOf(thrown: unknown): string | undefined {
  const name = /\bCKR_(?:0x[0-9a-f]+|[A-Z0-9_]+)/.exec(messageOf(thrown))?.[0];
  if (name !== VENDOR_DEFINED) return name;
  const { code } = Object(thrown) as { readonly code?: unknown };
  return typeof code === "number" ? `CKR_0x${code.toString(16)}` : name;
}

/**
 * The error for a call that failed: what was asked, then the name of what went wrong.
 *
 * @param code where the operator can mend it, that of what has to be mended
 */
export function hsmError(
  what: string,
  thrown: unknown,
  code: ErrorCode = "HSM_FAILED",
): KeylessError {
  if (thrown instanceof KeylessError) return thrown;
  const ckr = ckrOf(thrown);
  const why = ckr === undefined ? messageOf(thrown) : `${ckr}${meaningOf(ckr)}`;
  return new KeylessError(code, `${what}: ${why}`, { cause: thrown });
}

/** As the module's own handles are laid out. */
export function toHandle(value: bigint): Handle {
  const handle = Buffer.alloc(8);
  handle.writeBigUInt64LE(value);
  return handle;
}

export function fromHandle(handle: Handle): bigint {
  return handle.readBigUInt64LE();
}

/** The shape of a CommonJS module differs between the runtimes, and between run and compiled. */
async function load<Package extends object>(from: () => Promise<Package>): Promise<Package> {
  try {
    const loaded = await from();
    return "default" in loaded ? loaded.default as Package : loaded;
  } catch (cause) {
    const [why] = messageOf(cause).split("\n"); // Deno adds where it was imported
    throw new KeylessError("HSM_MODULE", `${UNAVAILABLE} (${why})`, { cause });
  }
}

function meaningOf(ckr: string): string {
  const meaning = MEANINGS[ckr];
  return meaning === undefined ? "" : ` (${meaning})`;
}

/** What says that the session, its token, or its login is gone. */
export const SESSION_GONE: ReadonlySet<string> = new Set([
  "CKR_CRYPTOKI_NOT_INITIALIZED",
  "CKR_DEVICE_ERROR",
  "CKR_DEVICE_REMOVED",
  "CKR_SESSION_CLOSED",
  "CKR_SESSION_HANDLE_INVALID",
  "CKR_SLOT_ID_INVALID",
  "CKR_TOKEN_NOT_PRESENT",
  "CKR_TOKEN_NOT_RECOGNIZED",
  "CKR_USER_NOT_LOGGED_IN",
]);

const UNAVAILABLE = "PKCS#11 is not available: its addon cannot be loaded. From the sources: " +
  "install python3, make and g++, then the npm packages again. The executable unpacks it into " +
  "TMPDIR, which must be writable and allow programs to run";

/** What pkcs11js calls every code that it does not know. */
const VENDOR_DEFINED = "CKR_VENDOR_DEFINED";

/** What an operator should look at. */
const MEANINGS: Readonly<Record<string, string>> = {
  CKR_TOKEN_NOT_PRESENT: "the token is not in its slot",
  CKR_TOKEN_NOT_RECOGNIZED: "the token is not recognised",
  CKR_DEVICE_REMOVED: "the token was removed",
  CKR_DEVICE_ERROR: "the device has a problem of its own",
  CKR_DEVICE_MEMORY: "the device is full",
  CKR_HOST_MEMORY: "this machine has no memory left",
  CKR_SESSION_COUNT: "the token gives no more sessions; lower max-sessions",
  CKR_USER_NOT_LOGGED_IN: "the token wants a PIN",
  CKR_MECHANISM_INVALID: "the token cannot do this",
  CKR_KEY_FUNCTION_NOT_PERMITTED: "the key may not be used for this",
};
