import { Buffer } from "node:buffer";
import { globSync, readdirSync, statSync } from "node:fs";
import process from "node:process";
import { KeylessError, messageOf } from "../../src/errors/errors.ts";
import { pathReason, systemCode, systemReason } from "../../src/errors/system.ts";
import { namePath } from "../../src/keystore/key_failures.ts";
import { MAX_FILE_BYTES, readRegularFile } from "../../src/keystore/read_file.ts";
import { type BundleOptions, readBundle } from "../../src/pki/bundle.ts";
import { pemBlocks } from "../../src/pki/pem.ts";
import { CERTIFICATE_SUFFIXES } from "./source_options.ts";
import type { SourceResult } from "./sources.ts";

/** A file that was named: what it holds, certificates or not. */
export function* readFile(path: string, options: BundleOptions): Generator<SourceResult> {
  yield marked(readOne(path, () => readNamed(path), options));
}

/** A file that a configuration names for its certificates, whatever else it holds. */
export function* readConfigured(path: string, options: BundleOptions): Generator<SourceResult> {
  yield readOne(path, () => readRegularFile(path).bytes, options).result;
}

/** What comes on standard input, to its end. */
export async function readStdin(options: BundleOptions): Promise<SourceResult> {
  let bytes: Uint8Array;
  try {
    bytes = await readStandardInput();
  } catch (thrown) {
    return failed(STDIN, thrown);
  }
  return marked(readOne(STDIN, () => bytes, options));
}

/**
 * The files of a directory that are named like certificates, by their names; not those of its
 * subdirectories. At least one result: an error where there is no certificate at all.
 */
export function* readDirectory(path: string, options: BundleOptions): Generator<SourceResult> {
  let names: string[];
  try {
    names = readdirSync(path);
  } catch (cause) {
    const why = `the directory cannot be listed: ${pathReason(path, cause)}`;
    return yield failed(path, new KeylessError("FILE_READ", why, { cause }));
  }
  const paths = names.filter((name) => CERTIFICATE_NAME.test(name))
    .map((name) => `${path.replace(/\/+$/, "")}/${name}`);
  yield* readFound(path, paths, options);
}

/** The files that a pattern matches, by their names. At least one result, as `readDirectory`. */
export function* readPattern(pattern: string, options: BundleOptions): Generator<SourceResult> {
  const paths = globSync(pattern);
  if (paths.length > 0) return yield* readFound(pattern, paths, options);
  const error = new KeylessError("FILE_READ", "no file has a name like that");
  yield failed(pattern, error);
}

const STDIN = "-";
/** Hidden files are none. */
const CERTIFICATE_NAME = new RegExp(`^[^.].*\\.(?:${CERTIFICATE_SUFFIXES.join("|")})$`, "is");

/** Files that nobody named one by one: those without certificates are passed over. */
function* readFound(
  source: string,
  paths: readonly string[],
  options: BundleOptions,
): Generator<SourceResult> {
  let isFound = false;
  for (const path of [...paths].sort()) {
    if (isDirectory(path)) continue;
    const { result, counts } = readOne(path, () => readRegularFile(path).bytes, options);
    if (!counts) continue;
    isFound = true;
    yield result;
  }
  if (isFound) return;
  const why = "none of its files holds a certificate";
  yield failed(source, new KeylessError("CERTIFICATE_FORMAT", why));
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // reading it will say why
  }
}

interface Reading {
  readonly result: SourceResult;
  /** Whether it holds certificates, or something that is meant for one. */
  readonly counts: boolean;
}

function marked({ result, counts }: Reading): SourceResult {
  return counts ? result : { ...result, isOther: true };
}

/** The bytes may hold a private key: they are overwritten. */
function readOne(source: string, read: () => Uint8Array, options: BundleOptions): Reading {
  let bytes: Uint8Array = EMPTY;
  try {
    bytes = read();
    const bundle = readBundle(bytes, options);
    const isBroken = bundle.problems.some(({ code }) => code === "CERTIFICATE_FORMAT");
    const counts = bundle.certificates.length > 0 || isBroken;
    return { result: { source, bundle, warnings: [] }, counts };
  } catch (thrown) {
    return { result: failed(source, thrown), counts: !isSomethingElse(bytes, thrown) };
  } finally {
    bytes.fill(0);
  }
}

/** A key that cannot be read, parameters of keys, and the like. */
function isSomethingElse(bytes: Uint8Array, thrown: unknown): boolean {
  const labels = pemBlocks(bytes).map(({ label }) => label);
  if (labels.length > 0) return !labels.some((label) => CERTIFICATE_LABEL.test(label));
  return thrown instanceof KeylessError && UNREADABLE_KEY.has(thrown.code);
}

const CERTIFICATE_LABEL = /CERTIFICATE|PKCS ?#?7|CMS/;
const UNREADABLE_KEY: ReadonlySet<string> = new Set(["KEY_FORMAT", "KEY_WEAK", "KEY_UNSUPPORTED"]);

function failed(source: string, thrown: unknown): SourceResult {
  if (!(thrown instanceof KeylessError)) throw thrown;
  const message = `${namePath(source)}: ${messageOf(thrown)}`;
  return { source, error: new KeylessError(thrown.code, message, { cause: thrown }) };
}

/** @throws KeylessError "FILE_READ" */
function readNamed(path: string): Uint8Array {
  try {
    return readRegularFile(path).bytes;
  } catch (thrown) {
    if (!(thrown instanceof KeylessError)) throw thrown;
    const maybeHost = systemCode(thrown.cause) === "ENOENT" && HOST_NAME.test(path) &&
      !CERTIFICATE_NAME.test(path);
    const hint = maybeHost ? `; if it is a server, write ${path}:443` : "";
    throw new KeylessError(thrown.code, `${thrown.message}${hint}`, { cause: thrown.cause });
  }
}

const HOST_NAME = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i;

/** What comes may be a private key: the pieces of it are overwritten. */
async function readStandardInput(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let lengthBytes = 0;
  try {
    for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      lengthBytes += chunk.length;
      if (lengthBytes > MAX_FILE_BYTES) throw tooLarge();
    }
    return Buffer.concat(chunks);
  } catch (cause) {
    if (cause instanceof KeylessError) throw cause;
    const why = `standard input cannot be read: ${systemReason(cause)}`;
    throw new KeylessError("FILE_READ", why, { cause });
  } finally {
    for (const chunk of chunks) chunk.fill(0);
  }
}

function tooLarge(): KeylessError {
  const why = `standard input is too large: at most ${MAX_FILE_BYTES} bytes are read`;
  return new KeylessError("FILE_READ", why);
}

const EMPTY = new Uint8Array(0);
