import { createPublicKey, generateKeyPair } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ifCode } from "./dev_parts.ts";

/** Makes one private key of each kind that the default engine serves, as `DIR/NAME.key`, 0600. */
export async function makeDevKeys(directory: string): Promise<void> {
  await Promise.all(
    Object.entries(KEYS).map(async ([name, make]) => {
      const { privateKey } = await make();
      const pem = privateKey.export({ type: "pkcs8", format: "pem" });
      await writeFile(join(directory, `${name}.key`), pem, { mode: 0o600, flag: "wx" });
    }),
  );
}

/** Writes the public half of each key of `makeDevKeys` that lacks it, as `DIR/NAME.pub`. */
export async function writePublicHalves(directory: string): Promise<void> {
  const files = new Set(await readdir(directory));
  await Promise.all(
    Object.keys(KEYS).map(async (name) => {
      if (!files.has(`${name}.key`) || files.has(`${name}.pub`)) return;
      const pem = publicHalf(await readFile(join(directory, `${name}.key`)));
      if (pem === undefined) return;
      await writeFile(join(directory, `${name}.pub`), pem, { mode: 0o644, flag: "wx" })
        .catch(ifCode("EEXIST", undefined)); // another run was faster
    }),
  );
}

/** Undefined for what the user has put in a key's place, and cannot be read here. */
function publicHalf(privatePem: Uint8Array): string | undefined {
  try {
    return createPublicKey(privatePem).export({ type: "spki", format: "pem" }).toString();
  } catch {
    return undefined;
  }
}

const generate = promisify(generateKeyPair);
const rsa = (modulusLength: number) => () => generate("rsa", { modulusLength });
const ec = (namedCurve: string) => () => generate("ec", { namedCurve });

const KEYS = {
  "rsa-2048": rsa(2_048),
  "rsa-3072": rsa(3_072),
  "rsa-4096": rsa(4_096),
  p224: ec("P-224"),
  p256: ec("P-256"),
  p384: ec("P-384"),
  p521: ec("P-521"),
  ed25519: () => generate("ed25519"),
} as const;
