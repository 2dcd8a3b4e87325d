import { createHash } from "node:crypto";
import {
  type CertificateGauge,
  certificateGauge,
  firstToExpire,
} from "../../pki/certificate_gauge.ts";
import { type Certificate, parseCertificate } from "../../pki/certificates.ts";
import type { WatchedValue } from "./registry.ts";

/**
 * When the certificates that a server meets expire: its own for good, and its clients' up to a
 * number, of which those that were not seen for longest leave.
 */
export class CertificateGauges {
  readonly #maxPeers: number;
  readonly #own: CertificateGauge[] = [];
  readonly #ownDigests = new Set<string>();
  readonly #peers = new Map<string, Series | undefined>();
  readonly #dropped: () => void;

  /** `dropped` is told of each series that leaves to make room. */
  constructor(maxPeers: number, dropped: () => void) {
    this.#maxPeers = maxPeers;
    this.#dropped = dropped;
  }

  /** A certificate of the server's own files. */
  addOwn(certificate: Certificate, path: string): void {
    this.#own.push(certificateGauge(certificate, path));
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
    const series = this.#peers.has(key) ? this.#peers.get(key) : peerSeries(der, listener);
    this.#peers.delete(key); // it becomes the newest
    this.#peers.set(key, series);
    if (this.#peers.size <= this.#maxPeers) return;
    const [oldest = ""] = this.#peers.keys();
    this.#peers.delete(oldest);
    this.#dropped();
  }

  /**
   * One for each series. Of the certificates of a file with the same labels, the one that expires
   * first; of those of clients the one that came last, for it has replaced the others.
   */
  values(): readonly WatchedValue[] {
    const peers = new Map<string, WatchedValue>();
    for (const series of this.#peers.values()) {
      if (series !== undefined) peers.set(series.key, series.value);
    }
    return [...firstToExpire(this.#own).map(valueOf), ...peers.values()];
  }
}

interface Series {
  /** Its labels, as one text. */
  readonly key: string;
  readonly value: WatchedValue;
}

/** Undefined for a certificate that TLS has accepted but that cannot be read here. */
function peerSeries(der: Uint8Array, listener: string): Series | undefined {
  try {
    const gauge = certificateGauge(parseCertificate(der), `listener: ${listener}`);
    return { key: JSON.stringify(gauge.labels), value: valueOf(gauge) };
  } catch {
    return undefined;
  }
}

function valueOf({ labels, value }: CertificateGauge): WatchedValue {
  return { labels: { ...labels }, value };
}

function digestOf(der: Uint8Array): string {
  return createHash("sha256").update(der).digest("base64");
}
