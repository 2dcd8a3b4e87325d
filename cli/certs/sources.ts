import { statSync } from "node:fs";
import type { KeylessError } from "../../src/errors/errors.ts";
import type { Bundle, BundleOptions } from "../../src/pki/bundle.ts";
import { afterOthers } from "../../src/runtime/turn.ts";
import {
  readConfigured,
  readDirectory,
  readFile,
  readPattern,
  readStdin,
} from "./sources_files.ts";
import { type HostOptions, isHost, readHost } from "./sources_host.ts";

/** What one file or host has, or why it could not be read. */
export type SourceResult = ReadSource | FailedSource;

export interface ReadSource {
  /** The path, "-" or "host:port"; any characters. */
  readonly source: string;
  /** Of a host: the whole chain that it presents, in its order. */
  readonly bundle: Bundle;
  /** Of a host: the name that its certificate should be for. */
  readonly serverName?: string;
  /** What a server said besides; one printable line each, which names the source. */
  readonly warnings: readonly string[];
  readonly isOther?: IsOther;
}

export interface FailedSource {
  readonly source: string;
  /** Its message names the source. */
  readonly error: KeylessError;
  readonly isOther?: IsOther;
}

/** Of a file that is not meant for certificates: with keys, requests or parameters alone. */
type IsOther = true | undefined;

export interface SourceOptions extends BundleOptions, HostOptions {}

/**
 * Reads sources one after the other; several hosts are asked at once. What a source is:
 *
 * 1. `-`: what comes on standard input;
 * 2. a file or directory that exists. Of a directory, its files that are named like certificates;
 * 3. `tls://host`, `host:port`, `unix:/path`: a TLS server;
 * 4. a pattern with `*`, `?`, `[…]` or `{…}`: the files that match.
 *
 * Of what a directory or a pattern finds, files without certificates, such as keys, are passed over.
 *
 * @param sources each is read once, also where it is named twice
 * @param configured files that a configuration names for certificates; they are read last
 */
export async function* readSources(
  sources: readonly string[],
  options: SourceOptions,
  configured: readonly string[] = [],
): AsyncGenerator<SourceResult> {
  const named = new Set(sources).difference(new Set(configured));
  const plans: Plan[] = [
    ...Array.from(named, (text) => ({ text, kind: kindOf(text) })),
    ...Array.from(new Set(configured), (text) => ({ text, kind: "configured" as const })),
  ];
  const hosts = plans.filter(({ kind }) => kind === "host").map(({ text }) => text);
  const looks = readHosts(hosts, options);
  for (const { text, kind } of plans) {
    if (kind === "host") yield await looks.get(text)!;
    else if (kind === "stdin") yield await readStdin(options);
    else {
      for (const result of READERS[kind](text, options)) {
        yield result;
        // hosts are waited for meanwhile, by the clock
        if (looks.size > 0) await new Promise<void>(afterOthers);
      }
    }
  }
}

interface Plan {
  readonly text: string;
  readonly kind: Kind | "configured";
}

type Kind = "stdin" | "file" | "directory" | "host" | "pattern";

const READERS = {
  file: readFile,
  directory: readDirectory,
  pattern: readPattern,
  configured: readConfigured,
} as const;

function kindOf(text: string): Kind {
  if (text === "-") return "stdin";
  const found = kindOfPath(text);
  if (found !== undefined) return found;
  if (isHost(text)) return "host";
  return /[*?[{]/.test(text) ? "pattern" : "file";
}

/** Undefined where nothing has that name. */
function kindOfPath(path: string): "file" | "directory" | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    return found === undefined ? undefined : found.isDirectory() ? "directory" : "file";
  } catch {
    return "file"; // reading it will say why
  }
}

/** Each waits for the one that began so many before it. None rejects. */
function readHosts(
  hosts: readonly string[],
  options: SourceOptions,
): ReadonlyMap<string, Promise<SourceResult>> {
  const looks: Promise<SourceResult>[] = [];
  for (const [index, host] of hosts.entries()) {
    looks.push((async () => {
      await looks[index - MAX_HOSTS_AT_ONCE];
      return await readHost(host, options);
    })());
  }
  return new Map(hosts.map((host, index) => [host, looks[index]!]));
}

const MAX_HOSTS_AT_ONCE = 8;
