import type { Server } from "node:net";
import { printable } from "../errors/printable.ts";
import { openUnixSocketCalls, type UnixSocketCalls } from "../runtime/unix_listener.ts";
import { listenError, type ListenFlags } from "./listen_error.ts";
import { listening } from "./listen_port.ts";
import { makeSocketFile, removeSocketFile, type SocketFile } from "./unix_socket.ts";

/** A UNIX socket that listens already. The descriptor stays its owner's. */
export interface SharedSocket {
  readonly fd: number;
  readonly path: string;
}

/**
 * Makes a listening UNIX socket that several threads can accept from, with mode 0600 from the first
 * moment on; a stale one is replaced. In the main thread alone: the umask is the process's.
 *
 * @throws KeylessError "LISTEN", also where libc cannot be called
 */
export async function openUnixListener(path: string, flags?: ListenFlags): Promise<UnixListener> {
  const calls = callsFor(path);
  let descriptor = -1;
  try {
    const file = await makeSocketFile(path, () => void (descriptor = calls.listen(path)), flags);
    return new UnixListener(calls, descriptor, file);
  } catch (error) {
    if (descriptor >= 0) calls.close(descriptor);
    throw error;
  }
}

/**
 * Accepts from a socket that another thread has made, by a descriptor of its own, which is closed with
 * the server.
 *
 * @throws KeylessError "LISTEN" for what is no socket that listens, or where no more files may be open
 */
export async function listenOnDescriptor(
  server: Server,
  { fd, path }: SharedSocket,
): Promise<void> {
  const calls = callsFor(path);
  let own = -1;
  try {
    own = calls.duplicate(fd);
    await listening(server, { fd: own });
  } catch (error) {
    if (own >= 0) calls.close(own); // neither runtime has closed it
    throw listenError(printable(path), "path", error);
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
   * What one more thread listens on: it makes a descriptor of its own when it does, so that one that
   * never gets there leaves none open.
   *
   * @throws KeylessError "LISTEN" where it is closed
   */
  share(): SharedSocket {
    const { path } = this.#file;
    if (this.#isOpen) return { fd: this.#descriptor, path };
    throw listenError(printable(path), "path", new Error("it is closed"));
  }

  /** Removes the file. Threads that listen go on with what has connected, until they close theirs. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#calls.close(this.#descriptor);
    removeSocketFile(this.#file);
  }
}

function callsFor(path: string): UnixSocketCalls {
  const calls = openUnixSocketCalls();
  if (calls !== undefined) return calls;
  const why = "the C library, whose calls workers need to share it, cannot be called here; " +
    "that takes Linux, and on Deno --allow-ffi; or listen on a port alone";
  throw listenError(printable(path), "path", new Error(why));
}
