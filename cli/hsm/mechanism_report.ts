import type { MechanismInfo } from "../../src/hsm/module.ts";
import { MECHANISM_USES } from "../../src/hsm/mechanism_names.ts";
import { printable } from "../../src/errors/printable.ts";
import { formatTable, paint } from "../output.ts";
import type { SeenModule } from "./look_at_modules.ts";
import { moduleFields, moduleTitle, slotFields } from "./module_report.ts";

/** The mechanisms of a module's tokens, for people: a table for each. */
export function mechanismsText({ path, info, tokens }: SeenModule): string {
  const tables = tokens.map(({ slotId, token, mechanisms = [] }) => {
    const title = paint("bold", `slot ${slotId}: ${printable(token.label) || "no label"}`);
    return `${title}\n${
      formatTable(["MECHANISM", "KEY SIZES", "USE"], mechanisms.flatMap(rowsOf))
    }`;
  });
  const shown = tables.length > 0 ? tables : ["no initialised token"];
  return [moduleTitle(path, info), ...shown].join("\n\n");
}

/** The same in the JSON document. */
export function mechanismsFields(module: SeenModule): object {
  return {
    ...moduleFields(module),
    slots: module.tokens.map((slot) => ({
      ...slotFields(slot, module.path),
      mechanisms: slot.mechanisms?.map(({ name, type, minKeySize, maxKeySize, flags }) => ({
        name,
        type,
        min_key_size: minKeySize,
        max_key_size: maxKeySize,
        uses: usesOf(flags),
      })),
    })),
  };
}

/** A row, and one more where the uses are too many for it. */
function rowsOf({ name, minKeySize, maxKeySize, flags }: MechanismInfo): readonly string[][] {
  const range = minKeySize === maxKeySize ? `${minKeySize}` : `${minKeySize}-${maxKeySize}`;
  const uses = usesOf(flags);
  const [first, rest] = [uses.slice(0, USES_IN_A_ROW), uses.slice(USES_IN_A_ROW)];
  const row = [name, maxKeySize === 0 ? "" : range, first.join(", ")];
  return rest.length === 0 ? [row] : [row, ["", "", rest.join(", ")]];
}

function usesOf(flags: number): readonly string[] {
  return [...MECHANISM_USES].filter(([flag]) => (flags & flag) !== 0).map(([, use]) => use);
}

const USES_IN_A_ROW = 4;
