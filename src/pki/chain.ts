import { toHex } from "../bytes/hex.ts";
import type { CertificateDetails } from "./certificate_details.ts";
import type { Certificate } from "./certificates.ts";
import { mayVouch } from "./flaws.ts";
import { x509 } from "./x509.ts";

/** How the certificates of a file or of a host hang together. Numbers are indices, from 0 on. */
export interface ChainShape {
  /** The leaf, then each one's issuer, as far as they are there. */
  readonly path: readonly number[];
  /** The last of the path is signed by itself. */
  readonly endsInRoot: boolean;
  /** The leaf is itself an authority: a file of authorities need not be a chain. */
  readonly isOfAuthorities: boolean;
  /** The path runs through them from the first on, as a server must send them. */
  readonly isOrdered: boolean;
  /** Those that vouch for none of the path, not even in part. */
  readonly unrelated: readonly number[];
  /** Those that stand before already. */
  readonly repeated: readonly number[];
}

/**
 * Examines which certificate is issued by which: by their names, key identifiers, and signatures
 * where the runtime knows the algorithm. Whether an issuer may issue is not judged (`verifyChain`
 * does).
 *
 * @param certificates at least one; the leaf is the first that has issued none of the others
 * @param details what they say, in the same order
 */
export async function examineChain(
  certificates: readonly Certificate[],
  details: readonly CertificateDetails[],
): Promise<ChainShape> {
  const links = new Links(certificates, details);
  const leaf = links.leaf();
  const path = [leaf];
  let endsInRoot = false;
  while (true) {
    const issuers = await links.issuersOf(path.at(-1)!);
    endsInRoot = issuers.includes(path.at(-1)!);
    const next = issuers.find((index) => !path.includes(index));
    if (endsInRoot || next === undefined) break;
    path.push(next);
  }
  const related = await links.allIssuersOf(leaf);
  const all = certificates.map((_, index) => index);
  return {
    path,
    endsInRoot,
    isOfAuthorities: mayVouch(links.details[leaf]!),
    isOrdered: path[0] === 0 && path.every((index, at) => at === 0 || index > path[at - 1]!),
    unrelated: all.filter((index) => !related.has(index) && !links.repeated.has(index)),
    repeated: [...links.repeated],
  };
}

/**
 * What is wrong with a chain, one line each; certificates are numbered from 1 on. None of a file of
 * authorities alone, which need not be a chain.
 */
export function chainFlaws(shape: ChainShape): string[] {
  const { path, endsInRoot, isOfAuthorities, isOrdered, unrelated, repeated } = shape;
  if (isOfAuthorities) return [];
  return [
    ...(isOrdered ? [] : [`the chain is out of order: servers must send them as ${numbers(path)}`]),
    ...(endsInRoot || unrelated.length === 0
      ? []
      : [`the chain is incomplete: the issuer of ${numbers([path.at(-1)!])} is missing`]),
    ...(unrelated.length === 0 ? [] : [`not part of the chain: ${numbers(unrelated)}`]),
    ...(repeated.length === 0 ? [] : [`there twice: ${numbers(repeated)}`]),
  ];
}

function numbers(indices: readonly number[]): string {
  return indices.map((index) => index + 1).join(", ");
}

/** Who has issued whom, looked up when it is asked. */
class Links {
  readonly details: readonly CertificateDetails[];
  readonly repeated: ReadonlySet<number>;
  readonly #certificates: readonly Certificate[];
  /** Indices by subject. */
  readonly #bySubject = new Map<string, number[]>();

  readonly #issuers = new Map<number, Promise<readonly number[]>>();

  constructor(certificates: readonly Certificate[], details: readonly CertificateDetails[]) {
    this.#certificates = certificates;
    this.details = details;
    const seen = new Set<string>();
    const repeated = new Set<number>();
    for (const [index, { sha256, subject }] of this.details.entries()) {
      const print = toHex(sha256);
      if (seen.has(print)) {
        repeated.add(index);
        continue;
      }
      seen.add(print);
      const name = comparable(subject.text);
      this.#bySubject.set(name, [...this.#bySubject.get(name) ?? [], index]);
    }
    this.repeated = repeated;
  }

  /** By names alone: the first that has issued none of the others, or the first of all. */
  leaf(): number {
    const busy = new Set(this.details.flatMap((details, index) => {
      const issuers = this.#bySubject.get(comparable(details.issuer.text)) ?? [];
      return issuers.filter((issuer) => issuer !== index && !this.repeated.has(index));
    }));
    return Math.max(0, this.details.findIndex((_, index) => !busy.has(index)));
  }

  /** Those behind it first, then the others; itself, where it is signed by itself. */
  issuersOf(index: number): Promise<readonly number[]> {
    const found = this.#issuers.get(index) ?? this.#findIssuers(index);
    this.#issuers.set(index, found);
    return found;
  }

  async #findIssuers(index: number): Promise<readonly number[]> {
    const child = this.details[index]!;
    const named = this.#bySubject.get(comparable(child.issuer.text)) ?? [];
    const found: number[] = [];
    for (const issuer of named.slice(0, MAX_CANDIDATES)) {
      const { subjectKeyId } = this.details[issuer]!.extensions;
      const { authorityKeyId } = child.extensions;
      const fits = subjectKeyId === undefined || authorityKeyId === undefined ||
        toHex(subjectKeyId) === toHex(authorityKeyId);
      const [of, by] = [this.#certificates[index]!, this.#certificates[issuer]!];
      if (!fits || !couldSign(this.details[issuer]!, child)) continue;
      if (await isSignedBy(of, by) !== false) found.push(issuer);
    }
    return [...found.filter((each) => each >= index), ...found.filter((each) => each < index)];
  }

  /** With those in between, and the index itself. */
  async allIssuersOf(index: number): Promise<ReadonlySet<number>> {
    const found = new Set([index]);
    for (const each of found) for (const issuer of await this.issuersOf(each)) found.add(issuer);
    return found;
  }
}

/** Whether a key is of the kind that a signature was made with, as far as both are known. */
function couldSign(issuer: CertificateDetails, { signature }: CertificateDetails): boolean {
  const [key, made] = [issuer.key.label, signature.label].map((label) =>
    KINDS.find((kind) => label.startsWith(kind))
  );
  return key === undefined || made === undefined || key === made;
}

/** How the labels of keys and of signatures begin. */
const KINDS = ["RSA", "EC", "Ed25519", "Ed448", "DSA"];

/** Undefined where the runtime does not know the algorithm. */
async function isSignedBy(of: Certificate, by: Certificate): Promise<boolean | undefined> {
  try {
    const key = new x509.PublicKey(new Uint8Array(by.spki));
    const certificate = new x509.X509Certificate(new Uint8Array(of.der));
    const algorithm = { ...key.algorithm, ...certificate.signatureAlgorithm };
    // verify would do this too, and take a key that cannot be imported for a wrong signature
    const publicKey = await key.export(algorithm, ["verify"]);
    return await certificate.verify({ publicKey, signatureOnly: true });
  } catch {
    return undefined;
  }
}

/** Of one name: each costs a signature to be verified, and a file may hold thousands. */
const MAX_CANDIDATES = 8;

/** RFC 5280 7.1: neither case nor the width of spaces makes a difference. */
function comparable(name: string): string {
  return name.toLowerCase().replace(/\s+/g, " ").trim();
}
