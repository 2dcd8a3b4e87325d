import { printable } from "../../src/errors/printable.ts";
import type { ModuleInfo, SlotInfo, TokenInfo } from "../../src/hsm/module.ts";
import { formatUri } from "../../src/hsm/uri.ts";
import { TOKEN_FLAGS } from "../../src/hsm/token_flags.ts";
import { paint } from "../output.ts";
import { block } from "./rows.ts";
import { tokenStates, tokenWords } from "./token_words.ts";
import { uriToPaste } from "./typed_uri.ts";

/** A module, and what it says of itself. */
export interface ModuleReport {
  readonly path: string;
  readonly info: ModuleInfo;
  readonly slots: readonly SlotInfo[];
}

/** A module for people: a block for each slot. */
export function moduleText({ path, info, slots }: ModuleReport): string {
  const blocks = slots.map((slot) => slotText(slot, path));
  return [moduleTitle(path, info), ...(blocks.length > 0 ? blocks : ["  no slots"])].join("\n\n");
}

export function moduleTitle(path: string, info: ModuleInfo): string {
  const { manufacturer, description, version, cryptoki } = info;
  const name = [description, manufacturer].filter((text) => text !== "").join(", ");
  return `${paint("bold", printable(path))}\n` +
    `  ${printable(name)}, version ${versionText(version)}, PKCS#11 ${versionText(cryptoki)}`;
}

/** A module in the JSON documents. Texts are as the module has them. */
export function moduleFields({ path, info }: Omit<ModuleReport, "slots">): object {
  const { manufacturer, description, version, cryptoki } = info;
  return {
    module: path,
    manufacturer,
    description,
    library_version: versionText(version),
    pkcs11_version: versionText(cryptoki),
  };
}

/** A slot in the JSON documents. */
export function slotFields(slot: SlotInfo, path: string): object {
  const { slotId, description, manufacturer, token } = slot;
  return {
    slot_id: slotId,
    slot_description: description,
    slot_manufacturer: manufacturer,
    token: token === undefined ? null : tokenFields(token, path),
  };
}

/** A token in the JSON documents; what it does not tell is null. */
export function tokenFields(token: TokenInfo, path: string): object {
  return {
    label: token.label,
    model: token.model,
    manufacturer: token.manufacturer,
    serial: token.serial,
    state: tokenStates(token),
    sessions: token.sessions ?? null,
    max_sessions: token.maxSessions ?? null,
    free_private_memory: token.freePrivateMemory ?? null,
    total_private_memory: token.totalPrivateMemory ?? null,
    uri: uriText(token, path) ?? null,
  };
}

function slotText({ slotId, description, token }: SlotInfo, path: string): string {
  const place = `slot ${slotId}`;
  if (token === undefined) return block(`${place}: no token`, [["slot", printable(description)]]);
  const uri = uriText(token, path);
  return block(`${place}: ${printable(token.label) || "no label"}`, [
    ["model", [token.model, token.manufacturer].map((text) => printable(text)).join(", ")],
    ...(token.serial === "" ? [] : [["serial", printable(token.serial)] as const]),
    ["state", tokenWords(token).join(", ") || "ready, no login required"],
    ["sessions", sessionsText(token)],
    ["memory", memoryText(token)],
    ...(uri === undefined ? [] : [["URI", uri] as const]),
  ]);
}

/** Undefined where there is nothing to log in to yet. */
function uriText(token: TokenInfo, path: string): string | undefined {
  const isUsable = (token.flags & TOKEN_FLAGS.TOKEN_INITIALIZED) !== 0;
  return isUsable ? formatUri(uriToPaste(token, path)) : undefined;
}

function sessionsText({ sessions, maxSessions }: TokenInfo): string {
  const used = sessions === undefined ? "not told how many are in use" : `${sessions} in use`;
  return `${used}, ${maxSessions === undefined ? "no limit told" : `at most ${maxSessions}`}`;
}

function memoryText({ freePrivateMemory: free, totalPrivateMemory: total }: TokenInfo): string {
  if (free === undefined) return "not told";
  const bytes = (count: number) => count.toLocaleString("en");
  return `${bytes(free)}${total === undefined ? "" : ` of ${bytes(total)}`} bytes free`;
}

function versionText({ major, minor }: ModuleInfo["version"]): string {
  return `${major}.${minor}`;
}
