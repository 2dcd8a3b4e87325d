import { realpathSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import process from "node:process";
import { KeylessError } from "../errors/errors.ts";
import { printable } from "../errors/printable.ts";
import { pathReason } from "../errors/system.ts";
import { libraryFolders } from "../runtime/system_library.ts";
import type { Pkcs11Uri } from "./uri.ts";

/**
 * The file of the PKCS#11 module that a URI names: by module-path, or by module-name in the usual
 * places; with both, the name in the folder that is the path (RFC 7512 section 2.4).
 *
 * @returns an absolute path without links: one for each module, however it is named
 * @throws KeylessError "HSM_MODULE" that says what was tried
 */
export function findModule(uri: Pkcs11Uri): string {
  const { "module-path": path, "module-name": name } = uri;
  if (path === undefined && name === undefined) {
    throw missing("the PKCS#11 URI names no module; add ?module-name=NAME or ?module-path=/FILE");
  }
  if (path === undefined) return firstOf(pathsOfName(name!, usualFolders()), name!);
  const found = lookAt(path);
  if (typeof found === "object") return found.path;
  if (found !== A_FOLDER) throw missing(`the PKCS#11 module ${printable(path)} ${found}`);
  if (name !== undefined) return firstOf(pathsOfName(name, [path]), name);
  throw missing(`module-path ${printable(path)} is a folder; name the module's file`);
}

/** Modules that people use, where they are installed. */
export interface UsualModules {
  /** Paths without links. */
  readonly found: readonly string[];
  /** Every path that was looked at. */
  readonly tried: readonly string[];
}

export function findUsualModules(): UsualModules {
  const tried = KNOWN_MODULES.flatMap((name) => pathsOfName(name, usualFolders()));
  const found = tried.map(lookAt).flatMap((look) => typeof look === "object" ? [look.path] : []);
  return { found: [...new Set(found)], tried };
}

/** "Looked for [lib]a.so, [lib]b.so in /x, /y": each name and each folder once. */
export function triedText(tried: readonly string[]): string {
  const names = new Set(tried.map((path) => basename(path).replace(/^(?:lib)?/, "[lib]")));
  const folders = new Set(tried.map(dirname));
  return `Looked for ${[...names].join(", ")} in ${[...folders].join(", ")}`;
}

function firstOf(paths: readonly string[], name: string): string {
  for (const path of paths) {
    const found = lookAt(path);
    if (typeof found === "object") return found.path;
  }
  throw missing(
    `there is no PKCS#11 module ${printable(name)}. ${printable(triedText(paths))}. ` +
      "Install it, or name its file by module-path",
  );
}

/** The path without links, or why there is no module. */
function lookAt(path: string): { readonly path: string } | string {
  try {
    const found = statSync(path);
    if (found.isDirectory()) return A_FOLDER;
    return found.isFile() ? { path: realpathSync(path) } : "is no file";
  } catch (thrown) {
    return `cannot be opened: ${pathReason(path, thrown)}`;
  }
}

/** RFC 7512: the name has neither the prefix nor the ending that the system gives to libraries. */
function pathsOfName(name: string, folders: readonly string[]): readonly string[] {
  const suffix = process.platform === "darwin" ? "dylib" : "so";
  return folders.flatMap((
    folder,
  ) => [`${folder}/lib${name}.${suffix}`, `${folder}/${name}.${suffix}`]);
}

function usualFolders(): readonly string[] {
  const folders = libraryFolders();
  return [
    ...folders.map((folder) => `${folder}/pkcs11`),
    ...folders.map((folder) => `${folder}/softhsm`),
    ...folders,
    ...VENDOR_FOLDERS,
  ];
}

function missing(why: string): KeylessError {
  return new KeylessError("HSM_MODULE", why);
}

const A_FOLDER = "is a folder";

/** SoftHSM, YubiKey, OpenSC, CloudHSM, Luna, nShield, Primus, Google's and Azure's. */
const KNOWN_MODULES = [
  "softhsm2",
  "ykcs11",
  "opensc-pkcs11",
  "cloudhsm_pkcs11",
  "Cryptoki2_64",
  "cknfast",
  "primusP11",
  "kmsp11",
  "azcloudhsm_pkcs11",
];

/**
 * Where vendors' own installers put them, in the order of `KNOWN_MODULES`. What lies below /usr/local
 * is named by its path: on some systems others than root may write there.
 */
const VENDOR_FOLDERS = [
  "/opt/cloudhsm/lib",
  "/usr/safenet/lunaclient/lib",
  "/opt/nfast/toolkits/pkcs11",
  "/opt/azurecloudhsm/lib64",
];
