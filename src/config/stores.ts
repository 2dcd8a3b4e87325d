import { messageOf } from "../errors/errors.ts";
import { parseUri } from "../hsm/uri.ts";
import type { Problem } from "./problem.ts";
import type { KeyStoreSetting } from "./settings.ts";
import type { YamlValue } from "./yaml_text.ts";

/**
 * Reads `private_key_stores`: a list of entries with exactly one of `dir`, `file` and `uri` each.
 *
 * @param report takes each problem and where it stands; values are not quoted: URIs may hold PINs
 */
export function readStores(
  value: YamlValue,
  report: (at: YamlValue, problem: Pick<Problem, "code" | "message">) => void,
): readonly KeyStoreSetting[] {
  const refuse = (at: YamlValue, what: string) =>
    report(at, { code: "CONFIG_VALUE", message: `private_key_stores: ${what}; ${SHAPE}` });
  if (value.type !== "list") {
    refuse(value, value.type === "map" ? "this is no list" : "this is a single value");
    return [];
  }
  return value.items().flatMap((item): KeyStoreSetting[] => {
    const store = readStore(item, refuse);
    if (store === undefined) return [];
    if (!("uri" in store)) return [store];
    try {
      return [{ uri: parseUri(store.uri) }];
    } catch (thrown) {
      report(item, { code: "HSM_URI", message: `private_key_stores: ${messageOf(thrown)}` });
      return [];
    }
  });
}

function readStore(
  item: YamlValue,
  refuse: (at: YamlValue, what: string) => void,
): StoreEntry | undefined {
  if (item.type !== "map") return void refuse(item, "this entry has neither dir, file nor uri");
  if (item.size !== 1) return void refuse(item, `this entry has ${item.size} keys, not one`);
  const [entry] = item.entries();
  if (entry === undefined) return undefined;
  const { key, value } = entry;
  const text = value.type === "scalar" ? value.text : undefined;
  if (key !== "dir" && key !== "file" && key !== "uri") {
    return void refuse(item, "this entry has none of dir, file and uri");
  }
  if (!text || text.includes("\0")) return void refuse(value, `${key}: names nothing`);
  return key === "dir" ? { dir: text } : key === "file" ? { file: text } : { uri: text };
}

type StoreEntry = { readonly dir: string } | { readonly file: string } | { readonly uri: string };

const SHAPE = "give a list of entries like `- dir: /etc/keyless/keys` or `- file: /etc/my.key`";
