import { isIP } from "node:net";
import * as z from "zod";
import { MAX_SOCKET_PATH_BYTES, socketPathBytes } from "../bytes/socket_path.ts";
import { HTTP_ADDRESS_FORMS, parseHttpAddress } from "../status/http_address.ts";
import { collectorUrl } from "./collector.ts";
import { formatDuration, MAX_TIMER_MS, parseDuration } from "../text/duration.ts";
import { formatUri, type Pkcs11Uri } from "../hsm/uri.ts";
import { parseHostPort } from "./host_port.ts";
import { type Kind, LOG_LEVELS, type Setting } from "./settings.ts";

/**
 * Reads the value of a setting from its text, which is the same in the file, in the environment and
 * in a flag.
 *
 * @returns the value, or undefined where the text is no value of that kind
 */
export function parseValue(
  setting: Setting,
  text: string,
): { readonly value: unknown } | undefined {
  const result = KINDS[setting.kind].schema(setting).safeParse(text);
  return result.success ? { value: result.data } : undefined;
}

/** What a setting accepts, to follow the word "give". */
export function acceptedBy(setting: Setting): string {
  return KINDS[setting.kind].accepts(setting);
}

/** A value as it would be written in the file or in a flag. */
export function formatValue(setting: Setting, value: unknown): string {
  if (setting.kind === "duration") return formatDuration(Number(value));
  if (setting.kind === "ratio") return withoutExponent(Number(value));
  if (Array.isArray(value)) return value.map(formatElement).join(",");
  return String(value);
}

interface KindRow {
  schema(setting: Setting): z.ZodType<unknown, string>;
  accepts(setting: Setting): string;
}

const text = z.string().max(4_096).refine((value) => !value.includes("\0"));

const webUrl = text.pipe(z.url({ protocol: /^https?$/ }));

const KINDS: Readonly<Record<Kind, KindRow>> = {
  text: { schema: () => text, accepts: () => "a text of at most 4096 characters" },
  file: { schema: () => text.min(1), accepts: () => "the name of a file" },
  socket: {
    schema: () => text.refine((path) => socketPathBytes(path) <= MAX_SOCKET_PATH_BYTES),
    accepts: () => `a path of at most ${MAX_SOCKET_PATH_BYTES} bytes`,
  },
  url: {
    schema: (setting) => setting.default === "" ? z.union([z.literal(""), webUrl]) : webUrl,
    accepts: () => "a URL that starts with https:// or http://",
  },
  host_port: {
    schema: () => text.refine((value) => value === "" || parseHostPort(value) !== undefined),
    accepts: () => "HOST:PORT, like graphite.example.com:2003 or [::1]:2003",
  },
  metric_name: {
    schema: () => text.max(MAX_METRIC_NAME_LENGTH).regex(METRIC_NAME),
    accepts: () =>
      "letters, digits, _ and -, with single dots between and a letter first, " +
      `at most ${MAX_METRIC_NAME_LENGTH}, like keyless or edge.keyless`,
  },
  collector: {
    schema: () => text.refine((value) => value === "" || collectorUrl(value) !== undefined),
    accepts: () => "HOST:PORT, or a URL with http:// or https:// and without a password",
  },
  address: {
    schema: () =>
      text.refine((value) => value === "" || isIP(value) !== 0 || HOST_NAME.test(value)),
    accepts: () => "an IP address like 127.0.0.1 or ::1, or a host name, without a port",
  },
  http_address: {
    schema: () => text.refine((value) => value === "" || parseHttpAddress(value) !== undefined),
    accepts: () => HTTP_ADDRESS_FORMS,
  },
  time: {
    schema: () => z.union([z.literal(""), z.iso.datetime({ offset: true })]),
    accepts: () => "a time as RFC 3339 writes it, like 2026-01-31T12:00:00Z",
  },
  port: {
    schema: () => z.union([z.literal("off"), integer(0, 65_535)]),
    accepts: () => "a port from 1 to 65535, 0 (the system chooses), or off",
  },
  switch: {
    schema: () => z.stringbool({ truthy: TRUE_WORDS, falsy: FALSE_WORDS }),
    accepts: () => "true or false",
  },
  duration: {
    schema: ({ minMs = 1 }) => z.string().transform(toDuration).pipe(z.number().min(minMs)),
    accepts: ({ minMs = 1 }) =>
      `a duration from ${formatDuration(minMs)} to ${
        formatDuration(MAX_TIMER_MS)
      }, like 30s or 1h30m ` +
      "(a bare number is seconds)",
  },
  count: {
    schema: ({ min = 0, max = Number.MAX_SAFE_INTEGER }) => integer(min, max),
    accepts: ({ min, max }) => `a whole number from ${min} to ${max}`,
  },
  ratio: {
    schema: () => z.string().regex(/^\d*\.?\d+$/).transform(Number).pipe(z.number().min(0).max(1)),
    accepts: () => "a number from 0 to 1, like 0.01",
  },
  loglevel: {
    schema: () => z.string().transform(toLogLevel).pipe(integer(0, LOG_LEVELS.length - 1)),
    accepts: () => `0 to ${LOG_LEVELS.length - 1}, or one of ${LOG_LEVELS.join(", ")}`,
  },
  choice: {
    schema: ({ choices = [] }) => z.enum(choices as [string, ...string[]]),
    accepts: ({ choices = [] }) => `one of ${choices.join(", ")}`,
  },
  list: {
    schema: () => z.string().transform((value) => value.split(",")).pipe(z.array(text.min(1))),
    accepts: () => "names with commas between them",
  },
  stores: {
    schema: () => z.never(),
    accepts: () => "a list of entries with one of dir, file and uri each, in the file",
  },
};

function integer(min: number, max: number): z.ZodType<number, string> {
  return z.string().regex(/^\d{1,16}$/).transform(Number).pipe(z.number().min(min).max(max));
}

function toDuration(value: string, context: z.RefinementCtx): number {
  try {
    return parseDuration(value, MAX_TIMER_MS);
  } catch {
    context.addIssue("no duration");
    return z.NEVER;
  }
}

function toLogLevel(value: string): string {
  const level = LOG_LEVELS.findIndex((name) => name === value.toLowerCase());
  return level < 0 ? value : String(level);
}

/** 0.00000012 is "1.2e-7" for String. */
function withoutExponent(ratio: number): string {
  const [digits = "", exponent] = String(ratio).split("e-");
  if (exponent === undefined) return digits;
  return `0.${"0".repeat(Number(exponent) - 1)}${digits.replace(".", "")}`;
}

/** Of a PKCS#11 URI without its PIN. */
function formatElement(element: unknown): string {
  if (isUriEntry(element)) return `uri:${formatUri(element.uri)}`;
  return typeof element === "object" && element !== null
    ? Object.entries(element).map(([kind, path]) => `${kind}:${path}`).join()
    : String(element);
}

function isUriEntry(element: unknown): element is { readonly uri: Pkcs11Uri } {
  return typeof element === "object" && element !== null && "uri" in element;
}

const TRUE_WORDS = ["true", "1", "yes", "on"];
const FALSE_WORDS = ["false", "0", "no", "off"];
const MAX_METRIC_NAME_LENGTH = 100;
const METRIC_NAME = /^[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)*$/i;
const HOST_NAME = /^(?=.*[a-z])[a-z0-9][a-z0-9.-]{0,252}$/i;
