import { posix } from "node:path";
import { importsOf } from "./imports.ts";

/** What a folder of src may import besides itself and what everybody may. */
export interface Layer {
  readonly folder: string;
  readonly imports: readonly string[];
  /** Folders of which it may import types alone. */
  readonly types?: readonly string[];
}

/** Names of packages. */
export interface Packages {
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
}

/** A source file: its path from the project's root, and its text. */
export type Sources = ReadonlyMap<string, string>;

/** Every import, and every use of a runtime's own API, that breaks a rule: "file: what, and why". */
export function violations(
  sources: Sources,
  layers: readonly Layer[],
  packages: Packages,
): readonly string[] {
  return [...sources].flatMap(([path, text]) => [
    ...importsOf(text).flatMap(({ specifier, typesOnly }) => {
      const reason = specifier.startsWith(".")
        ? refusedFile(path, posix.join(posix.dirname(path), specifier), typesOnly, layers)
        : refusedPackage(path, specifier, packages);
      return reason === undefined ? [] : [`${path}: imports ${specifier}: ${reason}`];
    }),
    ...runtimeUses(path, text),
  ]);
}

/** Imported by every folder of src. */
const COMMON = ["bytes", "errors"];

/** Names that one runtime alone knows. */
const RUNTIME_API = /\b(?:Deno|Bun)\.\w+|"bun:\w+|"(?:Deno|Bun)" in\b|\btypeof (?:Deno|Bun)\b/g;

function refusedFile(
  from: string,
  to: string,
  typesOnly: boolean,
  layers: readonly Layer[],
): string | undefined {
  if (topOf(to) === "cli" && topOf(from) !== "cli" && !isTest(from)) return "nothing imports cli";
  if (!isProduct(from) || to === "package.json") return undefined;
  if (!isProduct(to)) return "it is no part of the product";
  if (topOf(from) === "cli") return undefined;
  const [fromFolder, toFolder] = [folderOf(from), folderOf(to)];
  if (fromFolder === toFolder || (COMMON.includes(toFolder) && !COMMON.includes(fromFolder))) {
    return undefined;
  }
  const layer = layers.find((row) => row.folder === fromFolder);
  if (layer === undefined) return `${fromFolder} has no row in the table of layers`;
  if (layer.imports.includes(toFolder)) return undefined;
  if (!layer.types?.includes(toFolder)) return `${fromFolder} may not import ${toFolder}`;
  return typesOnly ? undefined : `${fromFolder} may import types alone of ${toFolder}`;
}

function refusedPackage(from: string, specifier: string, packages: Packages): string | undefined {
  if (specifier.startsWith("node:") || specifier.startsWith("bun:")) return undefined;
  const name = specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  if (packages.dependencies.includes(name)) return undefined;
  if (!packages.devDependencies.includes(name)) return "package.json does not name it";
  return isProduct(from) ? "a dependency for development alone" : undefined;
}

function runtimeUses(path: string, text: string): readonly string[] {
  if (!isProduct(path) || folderOf(path) === "runtime") return [];
  return Array.from(
    text.matchAll(RUNTIME_API),
    ([use]) => `${path}: mentions ${use}: only src/runtime may know which runtime it runs on`,
  );
}

function isProduct(path: string): boolean {
  return ["src", "cli"].includes(topOf(path));
}

function isTest(path: string): boolean {
  return topOf(path) === "test";
}

function topOf(path: string): string {
  return path.split("/")[0]!;
}

/** The folder below src, or the file's name where it stands in src itself. */
function folderOf(path: string): string {
  return path.split("/")[1]!;
}
