import { printable } from "../errors/printable.ts";
import { openUnixSocketCalls, type UnixSocketCalls } from "../runtime/unix_listener.ts";
import { listenError, type ListenFlags } from "./listen_error.ts";
import { makeSocketFile, removeSocketFile, type SocketFile } from "./unix_socket.ts";

/**
 * Makes a listening UNIX socket that several threads can accept from, with mode 0600 from the first
 * moment on; a stale one is replaced. In the main thread alone: the umask is the process's.
 *
 * @returns undefined where libc cannot be called; a single thread can use `listenOnPath` then
 * @throws KeylessError "LISTEN"
 */
export async function openUnixListener(
  path: string,
  flags?: ListenFlags,
): Promise<UnixListener | undefined> {
  const calls = openUnixSocketCalls();
  if (calls === undefined) return undefined;
  let descriptor = -1;
  try {
    const file = await makeSocketFile(path, () => void (descriptor = calls.listen(path)), flags);
    return new UnixListener(calls, descriptor, file);
  } catch (error) {
    if (descriptor >= 0) calls.close(descriptor);
    throw error;
  }
}

/** A socket that listens, whoever of its threads is alive: what has connected waits for the next. */
export class UnixListener {
  readonly #calls: UnixSocketCalls;
  readonly #descriptor: number;
  readonly #file: SocketFile;
  #isOpen = true;

  /** Use `openUnixListener`. */
  constructor(calls: UnixSocketCalls, descriptor: number, file: SocketFile) {
    this.#calls = calls;
    this.#descriptor = descriptor;
    this.#file = file;
  }

  /**
   * What one more thread listens on. The descriptor belongs to that thread: its server closes it.
   *
   * @throws KeylessError "LISTEN" where no more files may be open, or it is closed
   */
  share(): { readonly fd: number; readonly path: string } {
    const { path } = this.#file;
    try {
      if (!this.#isOpen) throw new Error("it is closed");
      return { fd: this.#calls.duplicate(this.#descriptor), path };
    } catch (error) {
      throw listenError(printable(path), "path", error);
    }
  }

  /** Removes the file. Threads that listen go on with what has connected, until they close theirs. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#calls.close(this.#descriptor);
    removeSocketFile(this.#file);
  }
}
