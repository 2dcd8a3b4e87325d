import process from "node:process";
import { KeylessError } from "../errors/errors.ts";
import { readSecretLine } from "../keystore/passphrase.ts";
import type { Pkcs11Uri } from "./uri.ts";
import type { PinSource } from "./uri_attributes.ts";

/**
 * Reads the PIN that a URI names.
 *
 * @param onWarning told of a file that others may read; the message names it
 * @returns UTF-8 bytes, the caller's, to be overwritten after use; undefined where the URI names none
 * @throws KeylessError "FILE_READ", "HSM_PIN"; without the PIN
 */
export function readPin(
  uri: Pkcs11Uri,
  onWarning?: (message: string) => void,
): Uint8Array | undefined {
  const source = uri["pin-source"];
  return source === undefined ? uri["pin-value"]?.copy() : readSource(source, onWarning);
}

/** The variables of the environment that hold the PIN of a URI: one, or none. */
export function pinVariables({ "pin-source": source }: Pkcs11Uri): readonly string[] {
  return source?.from === "env" ? [source.name] : [];
}

function readSource(source: PinSource, onWarning?: (message: string) => void): Uint8Array {
  if (source.from === "file") return readSecretLine(source.path, PIN_FILE, onWarning);
  const text = process.env[source.name];
  if (text) return new TextEncoder().encode(text);
  const why = text === undefined ? "is not set" : "is empty";
  throw new KeylessError(
    "HSM_PIN",
    `the PIN is asked for from the variable ${source.name}, which ${why}; set it to the token's PIN`,
  );
}

const PIN_FILE = { name: "PIN file", emptyCode: "HSM_PIN" } as const;
