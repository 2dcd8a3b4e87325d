import type { KeyShape } from "../crypto/public_key.ts";
import type { SignScheme } from "../crypto/scheme.ts";

/** What a request says of the key that it wants. */
export interface KeyQuery {
  /** 20 bytes, as the packet has them; other lengths name no key. */
  readonly ski?: Uint8Array | undefined;
  /** SHA-256 of the RSA modulus in upper-case hexadecimal: 32 bytes. */
  readonly digest?: Uint8Array | undefined;
  readonly serverName?: string | undefined;
  /** 4 or 16 bytes. */
  readonly serverIp?: Uint8Array | undefined;
  readonly certificateId?: string | undefined;
}

/** Who asks, as the TLS handshake proved it. */
export interface ClientIdentity {
  /** The certificate's common name, else its first DNS name, else its serial number; printable. */
  readonly name: string;
  /** The peer's address and port, or the socket's path; printable. */
  readonly address: string;
}

/** What is known of a request besides its bytes. One for each request; everything in it is cheap. */
export interface RequestContext {
  readonly client: ClientIdentity;
  /** On the clock of `performance.now()`, in milliseconds; Infinity where there is none. */
  readonly deadlineMs: number;
  /**
   * Aborted when the connection is gone: nobody waits for the answer any more. One for each
   * connection: queues tell connections apart by it.
   */
  readonly signal: AbortSignal;
  /** What the request holds of memory until it is answered: the length of its packet. */
  readonly heldBytes: number;
  /**
   * The span item for requests that are made on its behalf: the span of this request where it is
   * traced, else the caller's as the packet carries it, or undefined where it carries none.
   */
  readonly span: Uint8Array | undefined;
  /** True where another key server passed the request on: it must not travel further. */
  readonly forwarded: boolean;
}

/** Uses one private key, wherever it lives. Synchronous where it can be: no promise on the fast path. */
export interface Signer {
  readonly info: KeyShape;

  /**
   * Signs a digest (Ed25519: a message).
   *
   * @throws KeylessError "SIGN_REFUSED", "SIGN_FAILED", "KEY_WITHDRAWN", and what the place throws
   *   where it is carried out; asynchronous signers reject with them
   */
  sign(
    scheme: SignScheme,
    bytes: Uint8Array,
    context: RequestContext,
  ): Uint8Array | Promise<Uint8Array>;

  /**
   * The raw RSA private-key operation; the result is the whole padded block.
   *
   * @throws as `sign`
   */
  decrypt(block: Uint8Array, context: RequestContext): Uint8Array | Promise<Uint8Array>;
}

/** Where signers are found. */
export interface Keystore {
  /** The signer of the key that the query names, or undefined where there is none. */
  find(
    query: KeyQuery,
    context: RequestContext,
  ): Signer | undefined | Promise<Signer | undefined>;
}
