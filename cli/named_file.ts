import { KeylessError, messageOf } from "../src/errors/errors.ts";
import { readRegularFile } from "../src/keystore/read_file.ts";

/**
 * Reads a file of certificates or of a key.
 *
 * @param name what messages call it, printable
 * @throws KeylessError "FILE_READ"
 */
export function readNamedFile(path: string, name: string): ReturnType<typeof readRegularFile> {
  try {
    return readRegularFile(path);
  } catch (cause) {
    throw new KeylessError("FILE_READ", `${name} ${messageOf(cause)}`, { cause });
  }
}
