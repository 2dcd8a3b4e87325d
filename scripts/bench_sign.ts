/**
 * Signatures a second of one thread, for each kind of key and engine, beside those of
 * `openssl speed` on the same machine; and the time that loading a key takes.
 *
 *     bun scripts/bench_sign.ts
 *     deno run -A scripts/bench_sign.ts
 */
import { execFileSync } from "node:child_process";
import type { Engine } from "../src/crypto/engine.ts";
import { DIGEST_BYTES, SCHEMES, type SignScheme } from "../src/crypto/scheme.ts";
import { selectEngine } from "../src/crypto/select_engine.ts";
import { KeylessError } from "../src/errors/errors.ts";

interface Kind {
  readonly genpkey: readonly string[];
  readonly scheme: SignScheme;
  /** The algorithm as `openssl speed` takes it. */
  readonly speed: string;
}

const KINDS: Readonly<Record<string, Kind>> = {
  "P-256": ec("P-256", "ecdsa-sha256", "ecdsap256"),
  "P-384": ec("P-384", "ecdsa-sha384", "ecdsap384"),
  "P-521": ec("P-521", "ecdsa-sha512", "ecdsap521"),
  "P-224": ec("P-224", "ecdsa-sha224", "ecdsap224"),
  "Ed25519": { genpkey: ["-algorithm", "ED25519"], scheme: "ed25519", speed: "ed25519" },
  "RSA 2048": rsa(2048, "rsa-sha256"),
  "RSA 2048 PSS": rsa(2048, "rsa-pss-sha256"),
  "RSA 3072": rsa(3072, "rsa-sha256"),
  "RSA 4096": rsa(4096, "rsa-sha256"),
};

const MEASURE_MS = 1_000;
const WARM_UP_MS = 200;
const LOADS = 200;

const engines = [selectEngine("libcrypto"), selectEngine("portable")];
for (const { name, version } of engines) console.log(`${name}: ${version}`);
console.log(row("", "openssl speed", ...engines.flatMap(({ name }) => [name, "", "load"])));
for (const [name, kind] of Object.entries(KINDS)) {
  const pem = execFileSync("openssl", ["genpkey", "-quiet", ...kind.genpkey]);
  const limit = opensslSpeed(kind.speed);
  const cells = engines.flatMap((engine) => measure(engine, pem, kind.scheme, limit));
  console.log(row(name, `${Math.round(limit)}/s`, ...cells));
}

function measure(engine: Engine, pem: Uint8Array, scheme: SignScheme, limit: number): string[] {
  try {
    const key = engine.load(pem);
    const { hash } = SCHEMES[scheme];
    const bytes = new Uint8Array(hash === undefined ? 32 : DIGEST_BYTES[hash]);
    const sign = () => engine.sign(key, scheme, bytes);
    perSecond(sign, WARM_UP_MS);
    const rate = perSecond(sign, MEASURE_MS);
    return [`${Math.round(rate)}/s`, `${(100 * rate / limit).toFixed(1)} %`, loadTime(engine, pem)];
  } catch (error) {
    if (!(error instanceof KeylessError)) throw error;
    return [error.code, "", ""];
  }
}

function perSecond(operation: () => void, durationMs: number): number {
  const start = performance.now();
  let count = 0;
  let passedMs = 0;
  do {
    for (let index = 0; index < 8; index++) operation();
    count += 8;
    passedMs = performance.now() - start;
  } while (passedMs < durationMs);
  return 1_000 * count / passedMs;
}

function loadTime(engine: Engine, pem: Uint8Array): string {
  const start = performance.now();
  for (let index = 0; index < LOADS; index++) engine.free(engine.load(pem));
  return `${Math.round(1_000 * (performance.now() - start) / LOADS)} µs`;
}

/** Signatures a second, from a line such as `+F4:3:256:51409.574468:16888.636364`. */
function opensslSpeed(algorithm: string): number {
  const args = ["speed", "-mr", "-seconds", "1", algorithm];
  const output = execFileSync("openssl", args, { encoding: "utf8", stdio: "pipe" });
  const rates = output.trim().split("\n").at(-1)!.split(":").slice(-2);
  return Number(rates[0]);
}

function row(...cells: string[]): string {
  return cells.map((cell, index) => index === 0 ? cell.padEnd(14) : cell.padStart(16)).join("");
}

function ec(curve: string, scheme: SignScheme, speed: string): Kind {
  const genpkey = ["-algorithm", "EC", "-pkeyopt", `ec_paramgen_curve:${curve}`];
  return { genpkey, scheme, speed };
}

function rsa(bits: number, scheme: SignScheme): Kind {
  const genpkey = ["-algorithm", "RSA", "-pkeyopt", `rsa_keygen_bits:${bits}`];
  return { genpkey, scheme, speed: `rsa${bits}` };
}
