/**
 * Signs with every key of a `--dev` server, through the client, and lets `openssl` verify each
 * signature. Part of scripts/quickstart.sh, and an example of the client.
 *
 *     bun scripts/quickstart_check.ts DEV_DIRECTORY PORT
 */
import { spawnSync } from "node:child_process";
import { createHash, createPrivateKey, createPublicKey, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describePublicKey, type PublicKeyInfo } from "../src/crypto/public_key.ts";
import { KeylessClient, KeylessError, type SignScheme } from "../src/mod.ts";

/** How each kind of key signs here, and what `openssl pkeyutl -verify` must be told of it. */
const SCHEMES: Readonly<Record<string, readonly [SignScheme, string, ...string[]][]>> = {
  rsa: [
    ["rsa-sha256", "sha256", "-pkeyopt", "digest:sha256"],
    [
      "rsa-pss-sha384",
      "sha384",
      ...["digest:sha384", "rsa_padding_mode:pss", "rsa_pss_saltlen:digest"].flatMap((option) => [
        "-pkeyopt",
        option,
      ]),
    ],
  ],
  ec: [["ecdsa-sha256", "sha256"]],
  ed25519: [["ed25519", "", "-rawin"]],
};

const [dev, port] = process.argv.slice(2);
if (dev === undefined || port === undefined) {
  console.error("usage: bun scripts/quickstart_check.ts DEV_DIRECTORY PORT");
  process.exit(2);
}
const work = mkdtempSync(join(tmpdir(), "keyless-quickstart-"));
const client = new KeylessClient({
  host: "127.0.0.1",
  port: Number(port),
  certificate: readFileSync(join(dev, "tls", "client.pem")),
  key: readFileSync(join(dev, "tls", "client-key.pem")),
  ca: readFileSync(join(dev, "tls", "ca.pem")),
});

let failures = 0;
console.log("key            scheme          signature   openssl says");
for (const name of readdirSync(join(dev, "keys")).sort()) {
  if (!name.endsWith(".key")) continue; // their public halves
  const info = publish(join(dev, "keys", name));
  for (const [scheme, hash, ...options] of SCHEMES[info.type] ?? []) {
    const message = randomBytes(32);
    const bytes = hash === "" ? message : createHash(hash).update(message).digest();
    const row = `${name.padEnd(14)} ${scheme.padEnd(15)}`;
    try {
      const signature = await client.sign({ ski: info.ski }, scheme, bytes);
      const verdict = verify(bytes, signature, options);
      if (!verdict.good) failures += 1;
      console.log(`${row} ${`${signature.length} bytes`.padEnd(11)} ${verdict.text}`);
    } catch (error) {
      if (!(error instanceof KeylessError)) throw error;
      failures += 1;
      console.log(`${row} none: ${error.message}`);
    }
  }
}
client.close();
rmSync(work, { recursive: true });
if (failures > 0) console.error(`quickstart: signatures missing or wrong: ${failures}, see above`);
process.exitCode = failures > 0 ? 1 : 0;

/** Writes the key's public half for openssl; the server alone uses the private one. */
function publish(path: string): PublicKeyInfo {
  const key = createPublicKey(createPrivateKey(readFileSync(path)));
  writeFileSync(join(work, "public.pem"), key.export({ type: "spki", format: "pem" }));
  return describePublicKey(new Uint8Array(key.export({ type: "spki", format: "der" })));
}

function verify(bytes: Uint8Array, signature: Uint8Array, options: readonly string[]) {
  writeFileSync(join(work, "signed"), bytes);
  writeFileSync(join(work, "signature"), signature);
  const files = ["-pubin", "-inkey", "public.pem", "-in", "signed", "-sigfile", "signature"];
  const run = spawnSync("openssl", ["pkeyutl", "-verify", ...files, ...options], { cwd: work });
  const text = run.error?.message ?? String(run.stdout).trim();
  return { good: run.status === 0 && text === "Signature Verified Successfully", text };
}
