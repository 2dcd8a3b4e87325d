import { Authority, type IssueRequest } from "../../src/pki/authority.ts";
import { type CliResult, runCli } from "./cli.ts";
import { runHere } from "./run_here.ts";
import { pemsOf } from "./client_fixture.ts";
import { makeTempDir, type TempDir } from "./temp_dir.ts";
import { TestPki } from "./test_server.ts";

/** A command may have to make keys, on a busy machine. */
export const SLOW = { timeout: 60_000 };

export const DAY_MS = 86_400_000;

/** Who pings, who is pinged, and an authority that neither knows. */
export interface PingFixture {
  readonly pki: TestPki;
  readonly rogue: Authority;
  readonly dir: TempDir;
  /** The flags of a good client: --cert, --key and --ca. */
  readonly files: readonly string[];
}

/** The caller removes its `dir`. */
export async function createPingFixture(): Promise<PingFixture> {
  const pki = await TestPki.create();
  const rogue = await Authority.create("rogue authority");
  const dir = makeTempDir();
  return { pki, rogue, dir, files: credentialFiles(dir, "good", pki.client) };
}

/** Writes a client's files, and gives their flags. */
export function credentialFiles(dir: TempDir, name: string, client: TestPki["client"]): string[] {
  const pems = pemsOf(client);
  const cert = dir.write(`${name}.pem`, pems.certificate);
  const key = dir.write(`${name}.key`, pems.key);
  const ca = dir.write(`${name}-ca.pem`, pems.ca);
  return ["--cert", cert, "--key", key, "--ca", ca];
}

/** Runs `keyless ping` without the second between requests. */
export function ping(...args: string[]): Promise<CliResult> {
  return runHere(["ping", "-i", "1ms", ...args]);
}

/** The same in a process of its own, which may end while a name is still being looked up. */
export function pingAlone(...args: string[]): Promise<CliResult> {
  return runCli(["ping", "-i", "1ms", ...args]);
}

/** The same with `--json`; the document is whatever was printed. */
export async function pingJson(
  ...args: string[]
): Promise<Omit<CliResult, "stdout"> & { readonly document: ReturnType<typeof JSON.parse> }> {
  const { code, stdout, stderr } = await ping("--json", ...args);
  return { code, stderr, document: JSON.parse(stdout) };
}

/** A loopback target. */
export function at(port: number): string {
  return `127.0.0.1:${port}`;
}

/** What a server at 127.0.0.1 shows, unless the request says otherwise. */
export async function serverPair(
  issuer: Authority,
  request: Partial<IssueRequest>,
): Promise<{ readonly cert: string; readonly key: string }> {
  const base = { commonName: "server", usages: ["server"], names: ["127.0.0.1"] } as const;
  const issued = await issuer.issue({ ...base, ...request });
  return { cert: issued.certificatePem, key: issued.keyPem };
}
