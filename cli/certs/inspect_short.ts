import { toHex } from "../../src/bytes/hex.ts";
import { daysLeft } from "../../src/pki/validity.ts";
import { formatTable } from "../output.ts";
import type { Inspection } from "./inspection.ts";
import { date } from "./inspect_text.ts";

/** A line for each certificate, signing request and key. */
export function toTable(inspections: readonly Inspection[]): string {
  return formatTable(
    ["SOURCE", "SUBJECT", "EXPIRES", "DAYS LEFT", "KEY", "SKI"],
    inspections.flatMap(({ source, certificates, requests, keys }) => [
      ...certificates.map((each) => [
        ...[source, each.subject.text, date(each.notAfter), String(daysLeft(each))],
        ...[each.key.label, toHex(each.key.ski)],
      ]),
      ...requests.map(({ subject, key }) => [
        ...[source, `${subject.text} (signing request)`, "", "", key.label, toHex(key.ski)],
      ]),
      ...keys.map((key) => [source, `(${key.source})`, "", "", key.label, toHex(key.ski)]),
    ]),
  );
}
