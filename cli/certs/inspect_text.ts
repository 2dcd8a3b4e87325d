import { toHex } from "../../src/bytes/hex.ts";
import { printable } from "../../src/errors/printable.ts";
import type { RequestDetails } from "../../src/pki/certificate_details.ts";
import type { Extensions } from "../../src/pki/extensions.ts";
import type { NamedValue } from "../../src/pki/general_names.ts";
import type { SerialNumber } from "../../src/pki/serial_number.ts";
import { countDays, daysLeft, type Validity } from "../../src/pki/validity.ts";
import { paint } from "../output.ts";
import type {
  InspectedCertificate,
  InspectedChain,
  InspectedKey,
  InspectedRequest,
  Inspection,
} from "./inspection.ts";
import type { Trust } from "./trust.ts";

/** A source for people to read: printable, with colour where stdout takes it. */
export function toText(inspection: Inspection): string {
  const { source, certificates, requests, keys, chain } = inspection;
  const isChain = certificates.length > 1;
  const blocks = [
    ...certificates.map((each, index) => block(each, isChain ? `${index + 1}  ` : "", each.flaws)),
    ...requests.map((each) => block(each, "signing request  ")),
  ];
  const tail = [
    ...keys.map(keyRow),
    ...(chain === undefined ? [] : chainRows(chain, inspection)),
    ...(chain?.trust ?? []).map(trustRow),
  ];
  const flaws = chain?.flaws.map(warning) ?? [];
  const last = [...rows(tail, "  "), ...flaws.map((line) => `  ${line}`)].join("\n");
  return [paint("bold", printable(source)), ...blocks, last].filter((part) => part !== "")
    .join("\n\n");
}

/** A label and what stands behind it; lines that belong to one label. */
type Row = readonly [label: string, ...lines: readonly string[]];

function block(
  details: InspectedCertificate | InspectedRequest,
  prefix: string,
  flaws: readonly string[] = [],
): string {
  const title = printable(details.subject.text) || "(no subject)";
  const own = "serial" in details ? certificateRows(details) : requestRows(details);
  return [
    `  ${prefix}${paint("bold", title)}`,
    ...rows(own, "    "),
    ...flaws.map((flaw) => `    ${warning(flaw)}`),
  ].join("\n");
}

function certificateRows(details: InspectedCertificate): Row[] {
  const { extensions, serial, issuer, signature, sha256, sha1, version } = details;
  const isOwn = issuer.text === details.subject.text;
  return [
    ["valid", validity(details)],
    ...subjectRows(details),
    ["issuer", `${printable(issuer.text) || "(no name)"}${isOwn ? " (its own name)" : ""}`],
    ...(extensions.authorityKeyId === undefined
      ? []
      : [["issuer's SKI", toHex(extensions.authorityKeyId)] as const]),
    [
      "serial",
      serial.decimal === undefined ? serial.hex : `${serial.decimal} (${hexText(serial)})`,
    ],
    ["signature", signature.label],
    ["SHA-256", toHex(sha256)],
    ["SHA-1", toHex(sha1)],
    ...listRow("OCSP", extensions.ocspUrls),
    ...listRow("CRL", extensions.crlUrls),
    ...listRow("issuer's file", extensions.issuerUrls),
    ...otherRows(extensions),
    ...(version === 3 ? [] : [["version", String(version)] as const]),
  ];
}

function requestRows(details: InspectedRequest): Row[] {
  return [
    ...subjectRows(details),
    ["signature", details.signature.label],
    ...otherRows(details.extensions),
  ];
}

/** What is said of the key's owner: names, key and what it may be used for. */
function subjectRows({ extensions, key }: RequestDetails): Row[] {
  const { names, keyUsages, extendedKeyUsages, nameConstraints, subjectKeyId } = extensions;
  const inFile = subjectKeyId && toHex(subjectKeyId);
  const differs = inFile !== undefined && inFile !== toHex(key.ski);
  return [
    ...listRow("names", names?.map(nameText) ?? []),
    ["SKI", toHex(key.ski)],
    ...(differs ? [["SKI in it", `${inFile} (keys are asked for by the other)`] as const] : []),
    ["key", key.label],
    ...listRow("key usage", keyUsages ?? []),
    ...listRow("extended usage", extendedKeyUsages ?? []),
    ...authorityRow(extensions),
    ...listRow("permitted", nameConstraints?.permitted.map(nameText) ?? []),
    ...listRow("excluded", nameConstraints?.excluded.map(nameText) ?? []),
  ];
}

function authorityRow({ basicConstraints }: Extensions): Row[] {
  if (basicConstraints === undefined) return [];
  const { isCa, pathLength } = basicConstraints;
  const limit = pathLength === undefined ? "" : `, path length ${pathLength}`;
  return [["authority", isCa ? `yes${limit}` : "no"]];
}

function otherRows({ others }: Extensions): Row[] {
  return listRow(
    "extensions",
    others.map(({ oid, name, isCritical }) =>
      `${name === undefined ? oid : `${name} ${oid}`}${isCritical ? " (critical)" : ""}`
    ),
  );
}

/** "0x0a", "-0x0a". */
function hexText({ hex }: SerialNumber): string {
  return hex.replace(/^-?/, "$&0x");
}

function validity(validity: Validity & { readonly isOutOfDate: boolean }): string {
  const { notBefore, notAfter, isOutOfDate } = validity;
  const days = daysLeft(validity);
  const left = days < 0 ? `expired ${countDays(-days)} ago` : `${countDays(days)} left`;
  const state = isOutOfDate && days >= 0 ? "not valid yet" : left;
  return `${date(notBefore)} to ${date(notAfter)}, ${paint(isOutOfDate ? "red" : "green", state)}`;
}

/** To the second, UTC. */
export function date(value: Date): string {
  return value.toISOString().replace(".000Z", "Z");
}

export function nameText({ type, value }: NamedValue): string {
  return `${type}:${value}`;
}

function keyRow({ source, label, ski, owners }: InspectedKey): Row {
  const found = owners.map((owner) =>
    `${owner.kind} ${printable(owner.subject) || "without subject"} of ${printable(owner.source)}`
  );
  const whose = found.length > 0
    ? `belongs to ${found.join("; ")}`
    : paint("yellow", "belongs to no certificate or request here");
  return [source, `${label}, SKI ${toHex(ski)}`, whose];
}

function chainRows(chain: InspectedChain, { certificates }: Inspection): Row[] {
  const { path, endsInRoot, isOfAuthorities } = chain;
  if (isOfAuthorities && certificates.length > 1) return [];
  const last = certificates[path.at(-1)!]!;
  const numbers = path.length === 1 ? "" : `${path.map((index) => index + 1).join(" → ")}: `;
  if (!endsInRoot) {
    return [["chain", `${numbers}its issuer, ${subject(last.issuer.text)}, is not here`]];
  }
  const root = path.length === 1 ? "signed by itself" : "up to a root that is signed by itself";
  return [["chain", `${numbers}${root}`]];
}

function trustRow(trust: Trust): Row {
  switch (trust.verdict) {
    case "verified":
      return ["trust", `${paint("green", "verified")}: ${trust.path.map(subject).join(" → ")}`];
    case "not checked":
      return ["trust", `${paint("yellow", "not checked")}: ${printable(trust.reason)}`];
    case "refused":
      return ["trust", `${paint("red", "refused")}: ${refusalText(trust)}`];
  }
}

/** OpenSSL's reason, and of whom. */
export function refusalText(trust: Trust & { readonly verdict: "refused" }): string {
  const { reason, culprit, issuer } = trust;
  const hint = reason.startsWith("self-signed") || reason.startsWith("self signed")
    ? ", which is not among the authorities of --ca"
    : reason.startsWith("unable to get")
    ? `: its issuer, ${subject(issuer)}, is neither here nor among the authorities of --ca`
    : "";
  return `${reason} (${subject(culprit)})${hint}`;
}

function subject(text: string): string {
  return printable(text) || "no subject";
}

/** No row where there is nothing; long lists go over several lines. */
function listRow(label: string, items: readonly string[]): Row[] {
  if (items.length === 0) return [];
  const lines: string[] = [];
  for (const item of items.map((each) => printable(each))) {
    const line = lines.at(-1);
    if (line === undefined || line.length + item.length > MAX_LINE_LENGTH) lines.push(item);
    else lines[lines.length - 1] = `${line}, ${item}`;
  }
  return [[label, ...lines]];
}

function rows(table: readonly Row[], indent: string): string[] {
  return table.flatMap(([label, ...lines]) =>
    lines.map((line, index) => {
      const shown = index === 0 ? label : "";
      return `${indent}${paint("dim", shown.padEnd(LABEL_WIDTH))}  ${line}`;
    })
  );
}

function warning(text: string): string {
  return `${paint("yellow", "warning".padEnd(LABEL_WIDTH))}  ${text}`;
}

const LABEL_WIDTH = 14;
const MAX_LINE_LENGTH = 80;
