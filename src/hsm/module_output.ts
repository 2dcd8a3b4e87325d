import { Buffer } from "node:buffer";
import { printable } from "../errors/printable.ts";

/**
 * What a PKCS#11 module prints, as printable lines. Some print what they are called with: a line that
 * shows a PIN, as text or as a dump in hexadecimal, is left out.
 */
export class ModuleOutput {
  readonly #onLine: (line: string) => void;
  readonly #secrets: Buffer[] = [];

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** @param secret copied; a line that shows a part of it is left out from here on */
  hide(secret: Uint8Array): void {
    const isKnown = this.#secrets.some((known) => Buffer.compare(known, secret) === 0);
    if (secret.length > 0 && !isKnown) this.#secrets.push(Buffer.from(secret));
  }

  /** Takes the chunks of one of the module's streams; without a chunk, its end. */
  reader(): (chunk?: Uint8Array) => void {
    let begun = Buffer.alloc(0);
    return (chunk) => {
      const bytes = chunk === undefined ? Buffer.of(LINE_FEED) : Buffer.from(chunk);
      for (let at = 0; at < bytes.length;) {
        const end = bytes.indexOf(LINE_FEED, at);
        const part = bytes.subarray(at, end < 0 ? bytes.length : end);
        begun = Buffer.concat([begun, part.subarray(0, MAX_LINE_BYTES - begun.length)]);
        if (end < 0) return;
        this.#tell(begun);
        begun = Buffer.alloc(0);
        at = end + 1;
      }
    };
  }

  /** Overwrites what was to be hidden: nothing is read any more. */
  close(): void {
    for (const secret of this.#secrets.splice(0)) secret.fill(0);
  }

  #tell(bytes: Buffer): void {
    const line = bytes.toString();
    if (line.trim() === "") return;
    const runs = line.replace(HEX_SEPARATORS, "").match(HEX_RUNS) ?? [];
    const dumped = runs.flatMap((run) => [run, run.slice(1)]).map((run) => Buffer.from(run, "hex"));
    const isHidden = [bytes, ...dumped].some((bytes) => this.#shows(bytes));
    this.#onLine(isHidden ? LEFT_OUT : printable(line));
  }

  /** Whether the bytes hold so much of a secret that it could be guessed. */
  #shows(bytes: Buffer): boolean {
    return this.#secrets.some((secret) => {
      const length = Math.min(secret.length, SHOWN_BYTES);
      for (let at = 0; at + length <= secret.length; at++) {
        if (bytes.includes(secret.subarray(at, at + length))) return true;
      }
      return false;
    });
  }
}

const LINE_FEED = 0x0a;
/** What is behind them is dropped. */
const MAX_LINE_BYTES = 1_024;
/** A dump breaks a long secret into lines. */
const SHOWN_BYTES = 4;

/** "31 32 33", "31:32", "0x31, 0x32". */
const HEX_SEPARATORS = /0x|[\s:,-]/gi;
const HEX_RUNS = /[0-9a-f]{2,}/gi;
const LEFT_OUT = "(a line that shows the PIN is left out)";
