import { KeylessError } from "../../src/errors/errors.ts";
import type { TokenInfo } from "../../src/hsm/module.ts";
import { uriOfToken } from "../../src/hsm/select_token.ts";
import { parseUri, type Pkcs11Uri } from "../../src/hsm/uri.ts";
import type { TokenKey } from "../../src/hsm/token_keys.ts";

/**
 * Reads a PKCS#11 URI of the command line.
 *
 * @throws KeylessError "HSM_URI", also for a PIN in it
 */
export function readTypedUri(text: string): Pkcs11Uri {
  const uri = parseUri(text);
  if (uri["pin-value"] === undefined) return uri;
  throw new KeylessError(
    "HSM_URI",
    "the PKCS#11 URI holds its PIN (pin-value), and every user of this machine can read command " +
      "lines in the list of processes; give it by --pin-file FILE, by the variable " +
      `${PIN_VARIABLE}, or by pin-source=file:/PATH in the URI. Change the PIN if others were here`,
  );
}

/** A URI that names a token and its module, to be pasted. */
export function uriToPaste(token: TokenInfo, modulePath: string): Pkcs11Uri {
  return { ...uriOfToken(token), "module-path": modulePath };
}

/** A URI that names a key, with the module, the PIN's source and the limits of the URI that was typed. */
export function uriOfKey(
  typed: Pkcs11Uri,
  token: TokenInfo,
  modulePath: string,
  { id, label }: Pick<TokenKey, "id" | "label">,
): Pkcs11Uri {
  return {
    ...uriOfToken(token),
    ...(id.length > 0 ? { id } : {}),
    ...(label === "" ? {} : { object: label }),
    ...queryOf(typed),
    ...(typed["module-name"] === undefined ? { "module-path": modulePath } : {}),
  };
}

/** Where the PIN of the hsm commands may stand. */
export const PIN_VARIABLE = "KEYLESS_HSM_PIN";

function queryOf(uri: Pkcs11Uri): Partial<Pkcs11Uri> {
  const names = [
    "module-path",
    "module-name",
    "pin-source",
    "max-sessions",
    "min-sessions",
    "wait",
  ] as const;
  const kept = names.filter((name) => uri[name] !== undefined).map((name) => [name, uri[name]]);
  return Object.fromEntries(kept);
}
