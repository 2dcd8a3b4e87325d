import { lstat, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../errors/system.ts";

/**
 * The parts of a `--dev` directory, each a directory of its own: made under another name and renamed
 * into place as a whole, so that an interrupted run leaves no half of one.
 */

/**
 * Makes the part `name` of a directory.
 *
 * @param fill writes its files
 * @param replaces whether the one that stands there, looked at again at the end, is to go
 * @returns false where another run was faster, whose files stay
 */
export async function makePart(
  directory: string,
  name: string,
  fill: (path: string) => Promise<void>,
  replaces: () => Promise<boolean> = () => Promise.resolve(false),
): Promise<boolean> {
  const target = join(directory, name);
  const making = await mkdtemp(join(directory, `.${name}-`));
  await fill(making);
  if (await replaces()) await moveAway(target, directory);
  const isOurs = await rename(making, target).then(() => true, ifCode("ENOTEMPTY", false));
  if (!isOurs) await rm(making, { recursive: true });
  return isOurs;
}

/** Removes what interrupted runs have left: half-made parts that are too old to be still made. */
export async function removeLeftovers(directory: string, names: readonly string[]): Promise<void> {
  const prefixes = [...names, OLD].map((name) => `.${name}-`);
  for (const name of await readdir(directory)) {
    if (!prefixes.some((prefix) => name.startsWith(prefix))) continue;
    const path = join(directory, name);
    const found = await lstat(path).catch(ifCode("ENOENT", undefined));
    if (found === undefined || Date.now() - found.mtimeMs < LEFTOVER_AGE_MS) continue;
    await rm(path, { recursive: true, force: true });
  }
}

export async function isDirectory(path: string): Promise<boolean> {
  return await lstat(path).then((found) => found.isDirectory(), ifCode("ENOENT", false));
}

/** A handler that answers `value` where the system says `code`, and lets other errors through. */
export function ifCode<T>(code: string, value: T): (thrown: unknown) => T {
  return (thrown) => {
    if (systemCode(thrown) === code) return value;
    throw thrown;
  };
}

async function moveAway(target: string, directory: string): Promise<void> {
  const old = await mkdtemp(join(directory, `.${OLD}-`));
  await rename(target, old).catch(ifCode("ENOENT", undefined));
  await rm(old, { recursive: true });
}

const OLD = "old";
const LEFTOVER_AGE_MS = 3_600_000;
