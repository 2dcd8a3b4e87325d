import { createPrivateKey, X509Certificate } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KeylessError } from "../errors/errors.ts";
import { systemCode } from "../errors/system.ts";
import { Authority } from "./authority.ts";
import { readCertificates } from "./certificates.ts";

/** The names of the certificates and keys of `--dev`. */
export const DEV_FILES = {
  ca: "ca.pem",
  serverCertificate: "server.pem",
  serverKey: "server-key.pem",
  clientCertificate: "client.pem",
  clientKey: "client-key.pem",
} as const;

/** Writes new ones. The key of the authority is not kept. */
export async function writeDevCertificates(directory: string): Promise<void> {
  const authority = await Authority.create("keyless dev CA");
  const [server, client] = await Promise.all([
    authority.issue({ commonName: "keyless dev server", usages: ["server"], names: SERVER_NAMES }),
    authority.issue({ commonName: "keyless dev client", usages: ["client"] }),
  ]);
  const write = (name: string, text: string, mode: number) =>
    writeFile(join(directory, name), text, { mode });
  await Promise.all([
    write(DEV_FILES.ca, authority.certificatePem, 0o644),
    write(DEV_FILES.serverCertificate, server.certificatePem, 0o644),
    write(DEV_FILES.serverKey, server.keyPem, 0o600),
    write(DEV_FILES.clientCertificate, client.certificatePem, 0o644),
    write(DEV_FILES.clientKey, client.keyPem, 0o600),
  ]);
}

/**
 * Valid: all files are there, each key is that of its certificate, and the certificates are valid
 * now, and so much longer as `spareMs` says.
 */
export async function stateOfCertificates(
  directory: string,
  spareMs: number,
): Promise<"absent" | "bad" | "valid"> {
  try {
    const names = await readdir(directory);
    if (Object.values(DEV_FILES).some((name) => !names.includes(name))) return "bad";
    const read = (name: keyof typeof DEV_FILES) => readFile(join(directory, DEV_FILES[name]));
    const [ca, server, client] = [
      await read("ca"),
      await read("serverCertificate"),
      await read("clientCertificate"),
    ];
    const isGood = [ca, server, client].every((pem) => isValidNow(pem, spareMs)) &&
      isPair(server, await read("serverKey")) && isPair(client, await read("clientKey"));
    return isGood ? "valid" : "bad";
  } catch (thrown) {
    if (thrown instanceof KeylessError) return "bad";
    if (systemCode(thrown) === "ENOENT") return "absent";
    throw thrown;
  }
}

function isValidNow(certificatePem: Uint8Array, spareMs: number): boolean {
  const now = Date.now();
  const [{ notBefore, notAfter }] = readCertificates(certificatePem);
  return now >= notBefore.getTime() && now + spareMs <= notAfter.getTime();
}

function isPair(certificatePem: Uint8Array, keyPem: Uint8Array): boolean {
  try {
    return new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    return false; // no key that can be read
  }
}

const SERVER_NAMES = ["localhost", "127.0.0.1", "::1"] as const;
