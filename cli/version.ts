import process from "node:process";
import manifest from "../package.json" with { type: "json" };

export const VERSION = manifest.version;
export const DESCRIPTION = manifest.description;

/** `keyless 0.1.0 (bun 1.4.4, linux x64)`. */
export function versionText(): string {
  return `keyless ${VERSION} (${runtimeText()}, ${process.platform} ${process.arch})`;
}

/** `bun 1.4.4`. */
export function runtimeText(): string {
  const { bun, deno, node } = process.versions;
  return bun ? `bun ${bun}` : deno ? `deno ${deno}` : `node ${node}`;
}
