import { createHash } from "node:crypto";
import { certificateGauge } from "../../pki/certificate_gauge.ts";
import { type Certificate, parseCertificate } from "../../pki/certificates.ts";
import type { GaugeValue } from "./registry.ts";

/**
 * When the certificates that a server meets expire: its own for good, and its clients' up to a
 * number, of which those that were not seen for longest leave.
 */
export class CertificateGauges {
  readonly #maxPeers: number;
  readonly #own: GaugeValue[] = [];
  readonly #ownDigests = new Set<string>();
  readonly #peers = new Map<string, GaugeValue | undefined>();
  readonly #dropped: () => void;

  /** `dropped` is told of each series that leaves to make room. */
  constructor(maxPeers: number, dropped: () => void) {
    this.#maxPeers = maxPeers;
    this.#dropped = dropped;
  }

  /** A certificate of the server's own files. */
  addOwn(certificate: Certificate, path: string): void {
    this.#own.push(gaugeOf(certificate, path));
    this.#ownDigests.add(digestOf(certificate.der));
  }

  /**
   * A certificate that a client showed. One of the server's own files is passed over: the runtimes
   * do not tell what a client sent from what they completed its chain with.
   */
  seen(der: Uint8Array, listener: string): void {
    if (this.#maxPeers === 0) return;
    const digest = digestOf(der);
    if (this.#ownDigests.has(digest)) return;
    const key = `${digest} ${listener}`;
    const value = this.#peers.has(key) ? this.#peers.get(key) : peerGauge(der, listener);
    this.#peers.delete(key); // it becomes the newest
    this.#peers.set(key, value);
    if (this.#peers.size <= this.#maxPeers) return;
    const [oldest = ""] = this.#peers.keys();
    this.#peers.delete(oldest);
    this.#dropped();
  }

  values(): readonly GaugeValue[] {
    const peers = [...this.#peers.values()].filter((value) => value !== undefined);
    return [...this.#own, ...peers];
  }
}

/** Undefined for a certificate that TLS has accepted but that cannot be read here. */
function peerGauge(der: Uint8Array, listener: string): GaugeValue | undefined {
  try {
    return gaugeOf(parseCertificate(der), `listener: ${listener}`);
  } catch {
    return undefined;
  }
}

function gaugeOf(certificate: Certificate, source: string): GaugeValue {
  const { labels, value } = certificateGauge(certificate, source);
  return { labels: { ...labels }, value };
}

function digestOf(der: Uint8Array): string {
  return createHash("sha256").update(der).digest("base64");
}
