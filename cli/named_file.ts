import { KeylessError, messageOf } from "../src/errors/errors.ts";
import { MAX_FILE_BYTES, readRegularFile } from "../src/keystore/read_file.ts";

/**
 * Reads a file that the user has named.
 *
 * @param name what messages call it, printable
 * @throws KeylessError "FILE_READ"
 */
export function readNamedFile(
  path: string,
  name: string,
  limitBytes: number = MAX_FILE_BYTES,
): ReturnType<typeof readRegularFile> {
  try {
    return readRegularFile(path, limitBytes);
  } catch (cause) {
    throw new KeylessError("FILE_READ", `${name} ${messageOf(cause)}`, { cause });
  }
}
