/**
 * How fast keys in PKCS#11 tokens sign, with SoftHSM (Debian `softhsm2`) and a C compiler:
 *
 *     bun scripts/bench_hsm.ts [ROUNDS]
 *
 * Beside a loop in C of the same calls in as many sessions; with a module that sleeps 20 ms in
 * C_SignInit and 50 ms in C_Sign; and what keys in files notice of that. Both sides of a comparison
 * are measured in turns. Needs dist/keyless.
 */
import { execFile, execFileSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { SignScheme } from "../src/crypto/scheme.ts";
import type { HsmStore } from "../src/hsm/hsm_store.ts";
import { openHsmStore } from "../src/hsm/open_hsm_store.ts";
import { parseUri } from "../src/hsm/uri.ts";
import { HsmServe, newDigest } from "../test/support/hsm_serve.ts";
import { keyOf, makeKey, openssl } from "../test/support/openssl.ts";
import { PROGRAMS } from "../test/support/running_server.ts";
import { makeSlowModule, type SlowModule } from "../test/support/slow_module.ts";
import { makeSoftHsm, PIN, softHsmPath } from "../test/support/softhsm.ts";

const ROUNDS = Number(process.argv[2] ?? 5);
/** The runtimes of both processes compile what runs much: for seconds, with a good part of the cores. */
const WARMUP_MS = 5_000;
const MEASURE_MS = 600;
const TICK_MS = 2;
/** Requests that wait at each session at any time. */
const OUTSTANDING = 16;
const KINDS = [
  ["P-256", "ec", "ecdsa-sha256"],
  ["RSA 2048", "rsa", "rsa-sha256"],
] as const satisfies readonly (readonly [string, string, SignScheme])[];

const hsm = makeSoftHsm();
const serve = await HsmServe.create(hsm);
process.env["BENCH_PIN"] = PIN;
Object.assign(process.env, hsm.env);
hsm.addToken("bench");
for (const [index, [kind]] of KINDS.entries()) {
  hsm.importKey("bench", keyOf(kind), { label: kind, id: `0${index + 1}` });
}
try {
  for (const [kind, type, scheme] of KINDS) {
    for (const sessions of [1, 4]) await besideC(kind, type, scheme, sessions);
  }
  await slowModule(makeSlowModule(hsm, { initMs: 20, signMs: 50 }));
} finally {
  await serve.fixture.killServer();
  serve.remove();
}

async function besideC(
  kind: (typeof KINDS)[number][0],
  type: string,
  scheme: SignScheme,
  sessions: number,
): Promise<void> {
  const program = compileLoop();
  const store = await open(`;object=${encodeURIComponent(kind)}`, sessions, softHsmPath());
  const rates: { readonly c: number; readonly ours: number }[] = [];
  const seconds = String(MEASURE_MS / 1_000);
  await ratePerSecond(store, scheme, sessions * OUTSTANDING, WARMUP_MS);
  for (let round = 0; round < ROUNDS; round++) {
    const words = [softHsmPath(), "bench", kind, type, String(sessions), seconds];
    const c = Number(execFileSync(program, words).toString());
    const ours = await ratePerSecond(store, scheme, sessions * OUTSTANDING, MEASURE_MS);
    rates.push({ c, ours });
  }
  await store.close();
  const ratios = rates.map(({ c, ours }) => ours / c).toSorted((a, b) => a - b);
  const best = (of: "c" | "ours") => Math.round(Math.max(...rates.map((each) => each[of])));
  console.log(
    `${kind}, ${sessions} sessions: C ${best("c")}/s, keyless ${best("ours")}/s; ` +
      `ratio of the best ${(best("ours") / best("c")).toFixed(2)}, median of ${ROUNDS} rounds ` +
      ratios[ROUNDS >> 1]!.toFixed(2),
  );
}

async function slowModule(module: SlowModule): Promise<void> {
  Object.assign(process.env, module.env);
  const store = await open(";object=P-256", 16, module.path);
  await signAll(store, 64);
  const stopLag = watchLag();
  const sinceMs = performance.now();
  await signAll(store, 320);
  const rounds = (performance.now() - sinceMs) / 70;
  const lagMs = stopLag();
  await store.close();
  console.log(
    `a module of 20 + 50 ms, 16 sessions: ${(320 / rounds).toFixed(1)} signatures in 70 ms; ` +
      `the main thread's event loop late by ${lagMs.toFixed(1)} ms at most`,
  );
  await besideKeysInFiles(module);
}

async function besideKeysInFiles(module: SlowModule): Promise<void> {
  const { fixture: { directory } } = serve;
  const local = makeKey("P-256");
  directory.write("local.key", local);
  directory.write("local.pub", openssl(["pkey", "-pubout"], local));
  directory.write("token.pub", openssl(["pkey", "-pubout"], keyOf("P-256")));
  const query = "&max-sessions=17&min-sessions=16&wait=60s";
  const stores = [`uri: ${serve.uri("token=bench;object=P-256", query, module.path)}`];
  const server = await serve.start([...stores, "file: local.key"], ["--sign-timeout", "0"], {
    env: module.env,
  });
  const measure = () => bench(server.port, "local.pub", ["--connections", "4", "--in-flight", "1"]);
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const alone = await measure();
    const busy = bench(server.port, "token.pub", ["--in-flight", "129", "--connections", "4"], 3);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const beside = await measure();
    await busy;
    ratios.push(beside / alone);
    console.log(
      `  ECDSA with a key in a file, p99: alone ${alone} ms, beside ${beside} ms`,
    );
  }
  const median = ratios.toSorted((a, b) => a - b)[ROUNDS >> 1]!;
  console.log(`beside 16 busy sessions and 500 requests that wait: p99 × ${median.toFixed(2)}`);
}

/** The 99th percentile of its worst second, in milliseconds: of `keyless bench`, a process of its own. */
async function bench(
  port: number,
  publicKey: string,
  flags: readonly string[],
  seconds = 1,
): Promise<number> {
  const [program] = PROGRAMS.executable;
  const identity = [
    "--cert",
    "client.pem",
    "--key",
    "client-key.pem",
    "--ca",
    "keyless_cacert.pem",
  ];
  const load = ["--op", "ecdsa-sha256", "--public", publicKey, "--verify-every", "0"];
  const times = ["--warmup", "200ms", "--duration", `${seconds}s`, "--timeout", "30s"];
  const words = ["bench", `localhost:${port}`, ...identity, ...load, ...times, ...flags, "--json"];
  const { stdout } = await promisify(execFile)(program, words, {
    cwd: serve.fixture.directory.path,
  });
  const { series } = JSON.parse(stdout) as { readonly series: readonly { p99Ns: number }[] };
  return Number((Math.max(...series.map(({ p99Ns }) => p99Ns)) / 1e6).toFixed(2));
}

function open(path: string, sessions: number, module: string): Promise<HsmStore> {
  const query = `module-path=${module}&pin-source=env:BENCH_PIN&wait=60s` +
    `&max-sessions=${sessions + 1}&min-sessions=${sessions}`;
  return openHsmStore([parseUri(`pkcs11:token=bench${path}?${query}`)], {
    command: (path) => [...PROGRAMS.executable, "pkcs11-module", path],
  });
}

async function ratePerSecond(
  store: HsmStore,
  scheme: SignScheme,
  outstanding: number,
  durationMs: number,
): Promise<number> {
  const sinceMs = performance.now();
  const digest = newDigest();
  let count = 0;
  await Promise.all(Array.from({ length: outstanding }, async () => {
    for (; performance.now() - sinceMs < durationMs; count++) await store.sign(0, scheme, digest);
  }));
  return count / (performance.now() - sinceMs) * 1_000;
}

async function signAll(store: HsmStore, count: number): Promise<void> {
  const digest = newDigest();
  await Promise.all(Array.from({ length: count }, () => store.sign(0, "ecdsa-sha256", digest)));
}

/** @returns what stops it, and gives the longest that a timer was late */
function watchLag(): () => number {
  let [lagMs, lastMs] = [0, performance.now()];
  const timer = setInterval(() => {
    const nowMs = performance.now();
    lagMs = Math.max(lagMs, nowMs - lastMs - TICK_MS);
    lastMs = nowMs;
  }, TICK_MS);
  return () => {
    clearInterval(timer);
    return lagMs;
  };
}

function compileLoop(): string {
  const path = hsm.dir.at("sign_loop");
  const source = fileURLToPath(new URL("./bench_hsm/sign_loop.c", import.meta.url));
  const headers = new URL("../node_modules/pkcs11js/includes/pkcs11", import.meta.url);
  const options = ["-O2", "-w", "-I", fileURLToPath(headers)];
  execFileSync("gcc", [...options, source, "-o", path, "-ldl", "-lpthread"]);
  return path;
}
