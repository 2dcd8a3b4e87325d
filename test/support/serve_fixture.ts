import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import { createPublicKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { describePublicKey } from "../../src/crypto/public_key.ts";
import { KeylessClient } from "../../src/mod.ts";
import { Authority, type IssueRequest } from "../../src/pki/authority.ts";
import { RawClient } from "./raw_client.ts";
import { RunningServer, type RunOptions } from "./running_server.ts";
import { makeTempDir, type TempDir } from "./temp_dir.ts";

/** Flags for a port of loopback that the system chooses. */
export const LOCAL = ["--bind", "127.0.0.1", "--port", "0"];

/** The common name of the clients: it would colour a terminal. */
export const CLIENT_NAME = "edge\u001b[31m-1";

/**
 * A working directory in which `keyless serve` finds its certificates under their default names, and
 * clients of it. It has one server at a time.
 */
export class ServeFixture {
  readonly directory: TempDir = makeTempDir();
  #server: RunningServer | undefined;

  private constructor() {}

  /** @param server what its certificate has besides */
  static async create(server: Partial<IssueRequest> = {}): Promise<ServeFixture> {
    const fixture = new ServeFixture();
    const { directory } = fixture;
    const authority = await Authority.create("the authority");
    directory.write("keyless_cacert.pem", authority.certificatePem);
    const names = ["localhost", "127.0.0.1"];
    const own = await authority.issue({
      commonName: "server",
      usages: ["server"],
      names,
      ...server,
    });
    directory.write("server.pem", own.certificatePem);
    directory.write("server-key.pem", own.keyPem);
    const client = await authority.issue({ commonName: CLIENT_NAME, usages: ["client"] });
    directory.write("client.pem", client.certificatePem);
    directory.write("client-key.pem", client.keyPem);
    return fixture;
  }

  /** Starts a server there, and waits until it listens. */
  async start(args: readonly string[], options: RunOptions = {}): Promise<RunningServer> {
    const server = this.launch(args, options);
    await server.event("listening");
    return server;
  }

  /** Starts a server there that need not get as far as listening. */
  launch(args: readonly string[], options: RunOptions = {}): RunningServer {
    this.#server = new RunningServer(args, { cwd: this.directory.path, ...options });
    return this.#server;
  }

  /** What a server says that ends by itself, with exit code 2, before it listens. */
  async refusal(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const server = this.launch([...LOCAL, ...args], options);
    assert.equal(await server.ended, 2, server.stderr);
    assert.doesNotMatch(server.stderr, /\n\s+at /, "a stack trace");
    return server.stderr;
  }

  connect(to: { readonly port: number } | { readonly socketPath: string }): KeylessClient {
    return new KeylessClient({
      ...("port" in to ? { host: "127.0.0.1", port: to.port } : to),
      serverName: "localhost",
      certificate: this.#pem("client.pem"),
      key: this.#pem("client-key.pem"),
      ca: this.#pem("keyless_cacert.pem"),
    });
  }

  /** @param to a port, or a UNIX socket's path */
  openRaw(to: number | string): Promise<RawClient> {
    const files = { cert: this.#pem("client.pem"), key: this.#pem("client-key.pem") };
    const where = typeof to === "number" ? { port: to } : { path: to };
    return RawClient.open({ ...files, ca: this.#pem("keyless_cacert.pem"), ...where });
  }

  /** The public half of a key file, and its SKI. */
  publicKey(name: string): { readonly key: KeyObject; readonly ski: Uint8Array } {
    const key = createPublicKey(this.#pem(name));
    const spki = new Uint8Array(key.export({ type: "spki", format: "der" }));
    return { key, ski: describePublicKey(spki).ski };
  }

  /** Ends the server however it is, for the end of a test that may have failed. */
  async killServer(): Promise<void> {
    await this.#server?.kill();
    this.#server = undefined;
  }

  remove(): void {
    this.directory.remove();
  }

  #pem(name: string): Buffer {
    return readFileSync(this.directory.at(name));
  }
}
