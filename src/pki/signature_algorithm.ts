import { RsaSaPssParams } from "@peculiar/asn1-rsa";
import { AsnConvert } from "@peculiar/asn1-schema";
import { AlgorithmIdentifier } from "@peculiar/asn1-x509";

/** How a certificate is signed. */
export interface SignatureAlgorithm {
  /** "ECDSA with SHA-256", "RSA-PSS with SHA-256, salt of 32 bytes"; else its object identifier. */
  readonly label: string;
  /** "SHA-256"; undefined where it is not known, or part of the algorithm (Ed25519). */
  readonly hash: string | undefined;
}

/** @throws Error for PSS parameters that cannot be read */
export function readSignatureAlgorithm(syntax: AlgorithmIdentifier): SignatureAlgorithm {
  const { algorithm, parameters } = syntax;
  if (algorithm === RSA_PSS) return readPss(parameters);
  const [key, hash] = ALGORITHMS[algorithm] ?? [algorithm];
  return { label: hash === undefined ? key : `${key} with ${hash}`, hash };
}

/** RFC 4055 section 3.1: what is left out has a default. */
function readPss(parameters: ArrayBuffer | null | undefined): SignatureAlgorithm {
  const read = parameters == null
    ? new RsaSaPssParams()
    : AsnConvert.parse(parameters, RsaSaPssParams);
  const hash = hashOf(read.hashAlgorithm);
  const mask = read.maskGenAlgorithm.parameters;
  const maskHash = mask == null ? hash : hashOf(AsnConvert.parse(mask, AlgorithmIdentifier));
  const differing = maskHash === hash ? "" : `, MGF1 with ${maskHash}`;
  const label = `RSA-PSS with ${hash}${differing}, salt of ${read.saltLength} bytes`;
  return { label, hash };
}

function hashOf({ algorithm }: AlgorithmIdentifier): string {
  return HASHES[algorithm] ?? algorithm;
}

const RSA_PSS = "1.2.840.113549.1.1.10";

const HASHES: Readonly<Record<string, string>> = {
  "1.3.14.3.2.26": "SHA-1",
  "2.16.840.1.101.3.4.2.1": "SHA-256",
  "2.16.840.1.101.3.4.2.2": "SHA-384",
  "2.16.840.1.101.3.4.2.3": "SHA-512",
  "2.16.840.1.101.3.4.2.4": "SHA-224",
  "2.16.840.1.101.3.4.2.5": "SHA-512/224",
  "2.16.840.1.101.3.4.2.6": "SHA-512/256",
  "2.16.840.1.101.3.4.2.7": "SHA3-224",
  "2.16.840.1.101.3.4.2.8": "SHA3-256",
  "2.16.840.1.101.3.4.2.9": "SHA3-384",
  "2.16.840.1.101.3.4.2.10": "SHA3-512",
};

/** Sources: RFC 3279, 4055, 5758, 8410, 8692 and NIST's register (2.16.840.1.101.3.4.3). */
const ALGORITHMS: Readonly<Record<string, readonly [key: string, hash?: string]>> = {
  "1.2.840.113549.1.1.2": ["RSA", "MD2"],
  "1.2.840.113549.1.1.3": ["RSA", "MD4"],
  "1.2.840.113549.1.1.4": ["RSA", "MD5"],
  "1.2.840.113549.1.1.5": ["RSA", "SHA-1"],
  "1.2.840.113549.1.1.11": ["RSA", "SHA-256"],
  "1.2.840.113549.1.1.12": ["RSA", "SHA-384"],
  "1.2.840.113549.1.1.13": ["RSA", "SHA-512"],
  "1.2.840.113549.1.1.14": ["RSA", "SHA-224"],
  "1.2.840.113549.1.1.15": ["RSA", "SHA-512/224"],
  "1.2.840.113549.1.1.16": ["RSA", "SHA-512/256"],
  "1.3.14.3.2.29": ["RSA", "SHA-1"],
  "2.16.840.1.101.3.4.3.13": ["RSA", "SHA3-224"],
  "2.16.840.1.101.3.4.3.14": ["RSA", "SHA3-256"],
  "2.16.840.1.101.3.4.3.15": ["RSA", "SHA3-384"],
  "2.16.840.1.101.3.4.3.16": ["RSA", "SHA3-512"],
  "1.2.840.10045.4.1": ["ECDSA", "SHA-1"],
  "1.2.840.10045.4.3.1": ["ECDSA", "SHA-224"],
  "1.2.840.10045.4.3.2": ["ECDSA", "SHA-256"],
  "1.2.840.10045.4.3.3": ["ECDSA", "SHA-384"],
  "1.2.840.10045.4.3.4": ["ECDSA", "SHA-512"],
  "2.16.840.1.101.3.4.3.9": ["ECDSA", "SHA3-224"],
  "2.16.840.1.101.3.4.3.10": ["ECDSA", "SHA3-256"],
  "2.16.840.1.101.3.4.3.11": ["ECDSA", "SHA3-384"],
  "2.16.840.1.101.3.4.3.12": ["ECDSA", "SHA3-512"],
  "1.2.840.10040.4.3": ["DSA", "SHA-1"],
  "2.16.840.1.101.3.4.3.1": ["DSA", "SHA-224"],
  "2.16.840.1.101.3.4.3.2": ["DSA", "SHA-256"],
  "1.3.101.112": ["Ed25519"],
  "1.3.101.113": ["Ed448"],
  "1.2.156.10197.1.501": ["SM2", "SM3"],
  "2.16.840.1.101.3.4.3.17": ["ML-DSA-44"],
  "2.16.840.1.101.3.4.3.18": ["ML-DSA-65"],
  "2.16.840.1.101.3.4.3.19": ["ML-DSA-87"],
};
