import {
  type CredentialPems,
  type Credentials,
  readCredentials,
} from "../src/client/credentials.ts";
import { KeylessError } from "../src/errors/errors.ts";
import { printable } from "../src/errors/printable.ts";
import type { DevDirectory } from "../src/pki/dev.ts";
import { readNamedFile } from "./named_file.ts";

/** The flags that say who a client is, and whom it trusts. */
export interface CredentialFlags {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
}

export interface ClientCredentials {
  readonly credentials: Credentials;
  /** The files. The caller overwrites the key's bytes once it needs them no more. */
  readonly pems: Readonly<Record<keyof CredentialPems, Uint8Array>>;
}

/**
 * Reads the files of a client; those of `--dev` where a flag names none.
 *
 * @throws KeylessError "USAGE" where one is missing, "FILE_READ"; else as `readCredentials`
 */
export function readClientCredentials(
  flags: CredentialFlags,
  dev: DevDirectory | undefined,
): ClientCredentials {
  const paths = {
    certificate: flags.cert ?? dev?.clientCertificate,
    key: flags.key ?? dev?.clientKey,
    ca: flags.ca ?? dev?.ca,
  };
  const missing = FIELDS.filter((field) => paths[field] === undefined).map((field) => FLAGS[field]);
  if (missing.length > 0) {
    throw new KeylessError(
      "USAGE",
      `${
        missing.join(", ").replace(/, (?=[^,]*$)/, " and ")
      } must be given: key servers talk to clients with a certificate ` +
        "alone (with a server of `keyless serve --dev`, --dev gives all three)",
    );
  }
  const nameOf = (field: keyof CredentialPems) => `${FLAGS[field]} ${printable(paths[field]!)}`;
  const names = { certificate: nameOf("certificate"), key: nameOf("key"), ca: nameOf("ca") };
  const read = (field: keyof CredentialPems) => readNamedFile(paths[field]!, names[field]).bytes;
  const pems = { certificate: read("certificate"), key: read("key"), ca: read("ca") };
  try {
    return { credentials: readCredentials(pems, names), pems };
  } catch (thrown) {
    pems.key.fill(0);
    throw thrown;
  }
}

const FIELDS = ["certificate", "key", "ca"] as const;
const FLAGS = { certificate: "--cert", key: "--key", ca: "--ca" } as const;
