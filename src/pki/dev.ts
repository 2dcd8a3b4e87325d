import { lstat, mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { KeylessError } from "../errors/errors.ts";
import { printable } from "../errors/printable.ts";
import { systemReason } from "../errors/system.ts";
import { DEV_FILES, stateOfCertificates, writeDevCertificates } from "./dev_certificates.ts";
import { makeDevKeys, writePublicHalves } from "./dev_keys.ts";
import { ifCode, isDirectory, makePart, removeLeftovers } from "./dev_parts.ts";

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
 * `tls`, one key of each kind in `keys`, with its public half, which is free to hold others as well.
 *
 * Each of the two is made under another name and renamed into place as a whole: an interrupted run
 * leaves neither half, and of two runs at once one wins and the other uses its files. Certificates
 * that have expired, miss a file, or do not fit their keys are made anew; keys that are there are
 * never touched. The key of the authority is not kept.
 *
 * The directory must be ours, no symbolic link, and closed to others (mode 0700); one that others
 * can enter is refused, not tightened, because its contents may not be ours any more.
 *
 * @param onMake told the directory before anything is made in it, which takes about a second
 * @throws KeylessError "DEV_DIRECTORY"
 */
export async function prepareDevDirectory(
  dir: string,
  onMake: (directory: string) => void = () => {},
): Promise<DevDirectory> {
  const directory = resolve(dir); // also takes a slash off the end, which would follow a link
  return await explained(directory, async () => {
    await claim(directory);
    await removeLeftovers(directory, [KEYS_DIRECTORY, TLS_DIRECTORY]);
    const paths = pathsIn(directory);
    const tls = join(directory, TLS_DIRECTORY);
    const state = () => stateOfCertificates(tls, RENEW_BEFORE_MS);
    const lacksKeys = !await isDirectory(paths.keysDirectory);
    const lacksCertificates = await state() !== "valid";
    if (lacksKeys || lacksCertificates) onMake(directory);
    const madeKeys = lacksKeys && await makePart(directory, KEYS_DIRECTORY, makeDevKeys);
    await writePublicHalves(paths.keysDirectory);
    const madeCertificates = lacksCertificates && await makePart(
      directory,
      TLS_DIRECTORY,
      writeDevCertificates,
      async () => await state() === "bad", // another run may have made good ones meanwhile
    );
    return { ...paths, created: madeKeys || madeCertificates };
  });
}

/**
 * The directory of `--dev` as a server has made it. Changes nothing.
 *
 * @throws KeylessError "DEV_DIRECTORY" where there is none, or one that only a server can mend
 */
export async function findDevDirectory(dir: string): Promise<DevDirectory> {
  const directory = resolve(dir);
  return await explained(directory, async () => {
    const names = await checkOwnership(directory).then(
      () => readdir(directory),
      ifCode("ENOENT", undefined),
    );
    if (names === undefined) throw refusal(directory, "is not there", RUN_THERE);
    if (!names.includes(MARKER)) throw refusal(directory, "was not made by --dev", RUN_THERE);
    const paths = pathsIn(directory);
    const state = await stateOfCertificates(join(directory, TLS_DIRECTORY), 0);
    if (state !== "valid" || !await isDirectory(paths.keysDirectory)) {
      const mend = "start its `keyless serve --dev` again, which makes new ones";
      throw refusal(directory, "lacks keys, or certificates that are valid today", mend);
    }
    return { ...paths, created: false };
  });
}

/** Runs a step, and explains what the system says of it. */
async function explained<T>(directory: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (thrown) {
    if (thrown instanceof KeylessError) throw thrown;
    throw refusal(directory, `cannot be used: ${systemReason(thrown)}`, undefined, thrown);
  }
}

/** Where each file stands, below the absolute path `directory`. */
function pathsIn(directory: string): Omit<DevDirectory, "created"> {
  const tls = (name: keyof typeof DEV_FILES) => join(directory, TLS_DIRECTORY, DEV_FILES[name]);
  return {
    directory,
    ca: tls("ca"),
    serverCertificate: tls("serverCertificate"),
    serverKey: tls("serverKey"),
    clientCertificate: tls("clientCertificate"),
    clientKey: tls("clientKey"),
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

function refusal(directory: string, why: string, mend?: string, cause?: unknown): KeylessError {
  const next = `${mend === undefined ? "" : `${mend}, or `}name another with --dev-dir`;
  const message = `--dev: ${printable(directory)} ${why}; ${next}`;
  return new KeylessError("DEV_DIRECTORY", message, { cause });
}

const TLS_DIRECTORY = "tls";
const KEYS_DIRECTORY = "keys";

const MARKER = ".keyless-dev";
const MARKER_TEXT = "Made by `keyless --dev`: throw-away keys and certificates. Delete at will.\n";

const RENEW_BEFORE_MS = 24 * 3_600_000;
const RUN_THERE = "run this where `keyless serve --dev` runs";
