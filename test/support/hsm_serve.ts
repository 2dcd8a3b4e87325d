import { createHash } from "node:crypto";
import { LOCAL, ServeFixture } from "./serve_fixture.ts";
import type { RunningServer, RunOptions } from "./running_server.ts";
import { PIN, type SoftHsm, softHsmPath } from "./softhsm.ts";

/** A `keyless serve` whose keys are in SoftHSM tokens. */
export class HsmServe {
  readonly fixture: ServeFixture;
  readonly hsm: SoftHsm;
  readonly pinFile: string;

  constructor(fixture: ServeFixture, hsm: SoftHsm) {
    this.fixture = fixture;
    this.hsm = hsm;
    this.pinFile = fixture.directory.write("pin", `${PIN}\n`);
  }

  static async create(hsm: SoftHsm): Promise<HsmServe> {
    return new HsmServe(await ServeFixture.create(), hsm);
  }

  /** A URI with the right PIN. @param rest further attributes of the query */
  uri(path: string, rest = "", module = softHsmPath()): string {
    return `pkcs11:${path}?module-path=${module}&pin-source=file:${this.pinFile}${rest}`;
  }

  /** The flags for a configuration with these entries. */
  configure(stores: readonly string[]): readonly string[] {
    const text = `private_key_stores:\n${stores.map((store) => `  - ${store}\n`).join("")}`;
    return [...LOCAL, "--config-file", this.fixture.directory.write("hsm.yaml", text)];
  }

  start(
    stores: readonly string[],
    args: readonly string[] = [],
    options: RunOptions = {},
  ): Promise<RunningServer> {
    const env = { ...this.hsm.env, ...options.env };
    return this.fixture.start([...this.configure(stores), ...args], { ...options, env });
  }

  remove(): void {
    this.fixture.remove();
    this.hsm.remove();
  }
}

/** SHA-256 of something that is different each time. */
let count = 0;
export function newDigest(): Uint8Array {
  return new Uint8Array(createHash("sha256").update(`${count++}`).digest());
}
