import { Buffer } from "node:buffer";

/** One block of a PEM file. */
export interface PemBlock {
  /** "CERTIFICATE", "PRIVATE KEY" and so on, as the file has it. */
  readonly label: string;
  /** The block with both of its boundary lines: a view of the file's bytes. */
  readonly bytes: Uint8Array;
}

/**
 * The blocks of a PEM file, in their order; what stands around them is passed over (RFC 7468
 * section 2). None for bytes that are not PEM. A block without an end takes all that is left.
 *
 * Contents stay bytes, so that no private key becomes a string here.
 */
export function pemBlocks(file: Uint8Array): PemBlock[] {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length);
  const blocks: PemBlock[] = [];
  let start = bytes.indexOf(BEGIN);
  while (start >= 0) {
    const labelStart = start + BEGIN.length;
    const labelEnd = bytes.indexOf(DASHES, labelStart);
    if (labelEnd < 0) break;
    if (labelEnd - labelStart > MAX_LABEL_BYTES) {
      start = bytes.indexOf(BEGIN, labelStart);
      continue;
    }
    const label = bytes.toString("latin1", labelStart, labelEnd);
    const closing = Buffer.from(`-----END ${label}-----`, "latin1");
    const closingStart = bytes.indexOf(closing, labelEnd);
    const end = closingStart < 0 ? bytes.length : closingStart + closing.length;
    blocks.push({ label, bytes: bytes.subarray(start, end) });
    start = bytes.indexOf(BEGIN, end);
  }
  return blocks;
}

/** The DER inside a block that holds no secret. Whoever parses it finds what is wrong with it. */
export function derOf(block: PemBlock): Uint8Array {
  const text = Buffer.from(block.bytes).toString("latin1");
  const bodyStart = BEGIN.length + block.label.length + DASHES.length;
  const bodyEnd = text.indexOf(DASHES, bodyStart);
  const body = text.slice(bodyStart, bodyEnd < 0 ? undefined : bodyEnd);
  return new Uint8Array(Buffer.from(body, "base64"));
}

const BEGIN = "-----BEGIN ";
const DASHES = "-----";
const MAX_LABEL_BYTES = 64;
