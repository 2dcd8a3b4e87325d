import { lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { KeylessError } from "../errors/errors.ts";
import { systemCode, systemReason } from "../errors/system.ts";
import { Authority } from "./authority.ts";
import { readCertificates } from "./certificates.ts";
import { makeDevKeys } from "./dev_keys.ts";

/** Absolute paths of what `--dev` works with. Files hold PEM. */
export interface DevDirectory {
  readonly directory: string;
  readonly ca: string;
  /** For localhost, 127.0.0.1 and ::1. */
  readonly serverCertificate: string;
  readonly serverKey: string;
  readonly clientCertificate: string;
  readonly clientKey: string;
  /** Holds one key of each kind, `p256.key` and so on. */
  readonly keysDirectory: string;
  /** True where this call made the keys or the certificates, or made the certificates anew. */
  readonly created: boolean;
}

/**
 * Makes the directory of `--dev`, or takes it as it was made before: throw-away certificates in
 * `tls`, one key of each kind in `keys`, which is free to hold others as well.
 *
 * Each of the two is made under another name and renamed into place as a whole: an interrupted run
 * leaves neither half, and of two runs at once one wins and the other uses its files. Certificates
 * that have expired, or miss a file, are made anew; keys that are there are never touched. The key
 * of the authority is not kept.
 *
 * The directory must be ours, no symbolic link, and closed to others (mode 0700); one that others
 * can enter is refused, not tightened, because its contents may not be ours any more.
 *
 * @throws KeylessError "DEV_DIRECTORY"
 */
export async function prepareDevDirectory(dir: string): Promise<DevDirectory> {
  const directory = resolve(dir); // also takes a slash off the end, which would follow a link
  try {
    await claim(directory);
    const madeKeys = await makeKeysOnce(directory);
    const madeCertificates = await makeCertificatesOnce(directory);
    return { ...pathsIn(directory), created: madeKeys || madeCertificates };
  } catch (thrown) {
    if (thrown instanceof KeylessError) throw thrown;
    throw refusal(directory, `cannot be used: ${systemReason(thrown)}`, undefined, thrown);
  }
}

/** Where each file stands, below the absolute path `directory`. */
function pathsIn(directory: string): Omit<DevDirectory, "created"> {
  const tls = join(directory, TLS_DIRECTORY);
  return {
    directory,
    ca: join(tls, FILES.ca),
    serverCertificate: join(tls, FILES.serverCertificate),
    serverKey: join(tls, FILES.serverKey),
    clientCertificate: join(tls, FILES.clientCertificate),
    clientKey: join(tls, FILES.clientKey),
    keysDirectory: join(directory, KEYS_DIRECTORY),
  };
}

/** Makes the directory ours: new, empty, or marked by an earlier run. */
async function claim(directory: string): Promise<void> {
  await mkdir(dirname(directory), { recursive: true });
  const isNew = await mkdir(directory, { mode: 0o700 }).then(() => true, ifCode("EEXIST", false));
  if (!isNew) await checkOwnership(directory);
  const names = await readdir(directory);
  if (names.includes(MARKER)) return;
  if (names.length > 0) throw refusal(directory, "holds other files, which were not made by --dev");
  await writeFile(join(directory, MARKER), MARKER_TEXT, { mode: 0o600 });
}

async function checkOwnership(directory: string): Promise<void> {
  const found = await lstat(directory);
  if (found.isSymbolicLink()) throw refusal(directory, "is a symbolic link");
  if (!found.isDirectory()) throw refusal(directory, "is not a directory");
  if (process.getuid !== undefined && found.uid !== process.getuid()) {
    throw refusal(directory, `belongs to another user (uid ${found.uid})`);
  }
  const mode = found.mode & 0o777;
  if ((mode & 0o077) !== 0) {
    throw refusal(directory, `is open to others (mode 0${mode.toString(8)})`, "chmod 700 it");
  }
}

async function makeKeysOnce(directory: string): Promise<boolean> {
  const target = join(directory, KEYS_DIRECTORY);
  if (await isDirectory(target)) return false;
  const making = await mkdtemp(join(directory, `.${KEYS_DIRECTORY}-`));
  await makeDevKeys(making);
  return await publish(making, target);
}

async function makeCertificatesOnce(directory: string): Promise<boolean> {
  const target = join(directory, TLS_DIRECTORY);
  if (await stateOf(target) === "valid") return false;
  const making = await mkdtemp(join(directory, `.${TLS_DIRECTORY}-`));
  await writeCertificates(making);
  // looked at again: another run may have made good ones meanwhile
  if (await stateOf(target) === "bad") await moveAway(target, directory);
  return await publish(making, target);
}

async function writeCertificates(directory: string): Promise<void> {
  const authority = await Authority.create("keyless dev CA");
  const [server, client] = await Promise.all([
    authority.issue({ commonName: "keyless dev server", usages: ["server"], names: SERVER_NAMES }),
    authority.issue({ commonName: "keyless dev client", usages: ["client"] }),
  ]);
  const write = (name: string, text: string, mode: number) =>
    writeFile(join(directory, name), text, { mode });
  await Promise.all([
    write(FILES.ca, authority.certificatePem, 0o644),
    write(FILES.serverCertificate, server.certificatePem, 0o644),
    write(FILES.serverKey, server.keyPem, 0o600),
    write(FILES.clientCertificate, client.certificatePem, 0o644),
    write(FILES.clientKey, client.keyPem, 0o600),
  ]);
}

/** Valid: all files are there, and no certificate ends within a day. */
async function stateOf(tlsDirectory: string): Promise<"absent" | "bad" | "valid"> {
  try {
    const names = await readdir(tlsDirectory);
    if (Object.values(FILES).some((name) => !names.includes(name))) return "bad";
    const now = Date.now();
    for (const name of [FILES.ca, FILES.serverCertificate, FILES.clientCertificate]) {
      const [certificate] = readCertificates(await readFile(join(tlsDirectory, name)));
      if (now < certificate.notBefore.getTime()) return "bad";
      if (now > certificate.notAfter.getTime() - RENEW_BEFORE_MS) return "bad";
    }
    return "valid";
  } catch (thrown) {
    if (thrown instanceof KeylessError) return "bad";
    if (systemCode(thrown) === "ENOENT") return "absent";
    throw thrown;
  }
}

/** Renames a finished directory into place; where another run was faster, its files stay. */
async function publish(made: string, target: string): Promise<boolean> {
  const isOurs = await rename(made, target).then(
    () => true,
    ifCode("ENOTEMPTY", false),
  );
  if (!isOurs) await rm(made, { recursive: true });
  return isOurs;
}

async function moveAway(target: string, directory: string): Promise<void> {
  const old = await mkdtemp(join(directory, ".old-"));
  await rename(target, old).catch(ifCode("ENOENT", undefined));
  await rm(old, { recursive: true });
}

async function isDirectory(path: string): Promise<boolean> {
  return await lstat(path).then((found) => found.isDirectory(), ifCode("ENOENT", false));
}

/** A handler that answers `value` where the system says `code`, and lets other errors through. */
function ifCode<T>(code: string, value: T): (thrown: unknown) => T {
  return (thrown) => {
    if (systemCode(thrown) === code) return value;
    throw thrown;
  };
}

function refusal(directory: string, why: string, mend?: string, cause?: unknown): KeylessError {
  const named = JSON.stringify(directory).slice(1, -1); // escapes what could end a line
  const next = `${mend === undefined ? "" : `${mend}, or `}name another with --dev-dir`;
  return new KeylessError("DEV_DIRECTORY", `--dev: ${named} ${why}; ${next}`, { cause });
}

const TLS_DIRECTORY = "tls";
const KEYS_DIRECTORY = "keys";

const FILES = {
  ca: "ca.pem",
  serverCertificate: "server.pem",
  serverKey: "server-key.pem",
  clientCertificate: "client.pem",
  clientKey: "client-key.pem",
} as const;

const SERVER_NAMES = ["localhost", "127.0.0.1", "::1"] as const;

const MARKER = ".keyless-dev";
const MARKER_TEXT = "Made by `keyless --dev`: throw-away keys and certificates. Delete at will.\n";

const RENEW_BEFORE_MS = 24 * 3_600_000;
