/** Writes the pages of docs/ that derive from tables, and the dashboard: `deno task docs`. */
import { writeFileSync } from "node:fs";
import { z } from "zod";
import { BENCH_RESULT, SCHEMA } from "../src/bench/result.ts";
import { formatValue } from "../src/config/kinds.ts";
import { flagOf, isReadFrom, SETTING_KEYS, settingOf, variableOf } from "../src/config/settings.ts";
import { ERRORS, EXIT_MEANINGS } from "../src/errors/table.ts";
import { WIRE_ERRORS } from "../src/protocol/errors.ts";
import { OPCODES } from "../src/protocol/opcodes.ts";
import { ITEMS, PADDING_TAG } from "../src/protocol/tags.ts";
import { DASHBOARD_FILE, dashboardJson } from "./dashboard.ts";
import { METRICS_PAGE, metricsPage } from "./metrics_page.ts";

/** The text of docs/errors.md. */
export function errorsPage(): string {
  const exits = Object.entries(EXIT_MEANINGS).map(([exit, meaning]) => `| ${exit} | ${meaning} |`);
  const errors = Object.entries(ERRORS).map(([code, row]) =>
    `| \`${code}\` | ${row.exit} | ${row.meaning} |`
  );
  return [
    "# Errors",
    "",
    "Made from `src/errors/table.ts` by `deno task docs`.",
    "",
    "## Exit codes",
    "",
    "| exit code | meaning |",
    "| --------- | ------- |",
    ...exits,
    "",
    "## Error codes",
    "",
    "Every error has a stable code, in logs and in `--json`, beside a message that says what was asked,",
    "what stood in the way and what to do next. A command that ends with it has the exit code given here.",
    "",
    "| code | exit code | meaning |",
    "| ---- | --------- | ------- |",
    ...errors,
    "",
  ].join("\n");
}

/** The text of docs/configuration.md. */
export function configurationPage(): string {
  const rows = SETTING_KEYS.map((key) => {
    const setting = settingOf(key);
    const file = isReadFrom(key, "file") ? "yes" : "no";
    const flag = isReadFrom(key, "flag") ? `\`${flagOf(key)}\`` : "no";
    const variable = isReadFrom(key, "env") ? `\`${variableOf(key)}\`` : "no";
    const value = formatValue(setting, setting.default);
    return `| \`${key}\` | ${file} | ${flag} | ${variable} | ${value} | ${setting.help} |`;
  });
  return [
    "# Configuration",
    "",
    "Made from `src/config/settings.ts` by `deno task docs`.",
    "",
    "A flag wins over a variable, that over the file, that over the default. In flags `_` and `-` are the",
    "same. The file is the one that `--config-file` names, else `./gokeyless.yaml`, else",
    "`/etc/keyless/gokeyless.yaml`. An empty value in the file or in a variable counts as not set.",
    "Relative paths start at the directory that `keyless` runs in, wherever the file stands.",
    "",
    "Durations are Go's (`500ms`, `1h30m`) with `d` for days; a bare number is seconds. `keyless config show`",
    "lists every value with where it comes from; `keyless config check` says what is wrong.",
    "",
    "| setting | in the file | flag | variable | default | meaning |",
    "| ------- | ----------- | ---- | -------- | ------- | ------- |",
    ...rows,
    "",
  ].join("\n");
}

/** The text of docs/protocol.md. */
export function protocolPage(): string {
  const items = ITEMS.map((item) =>
    `| ${hexByte(item.tag)} | ${item.name} | ${FORMS[item.form]}${
      "lengths" in item && item.form === "bytes" ? `, ${item.lengths.join(" or ")}` : ""
    } |`
  );
  const opcodes = OPCODES.map((row) =>
    `| ${hexByte(row.code)} | ${row.name} | ${row.type} | ${"scheme" in row ? row.scheme : ""} |`
  );
  const errors = Object.values(WIRE_ERRORS).map(({ code, text }) => `| ${code} | ${text} |`);
  return `${PROTOCOL_HEAD}
## Items

Written in this order. An unknown tag is ignored; a known one may stand once.

| tag | item | value |
| --- | ---- | ----- |
${items.join("\n")}
| ${hexByte(PADDING_TAG)} | padding | ignored |

The span context has either of Jaeger's forms: binary (trace id 16 bytes, span id 8, parent id 8, flags 1, number
of baggage items 4, the baggage), or the text \`trace-id:span-id:parent-id:flags\` in hexadecimal. Any other is
ignored, and the request is served all the same.

## Opcodes

The scheme is the name that \`keyless ping --scheme\` and the client take.

| byte | name | type | scheme |
| ---- | ---- | ---- | ------ |
${opcodes.join("\n")}

A sign request's payload is the digest, already computed; Ed25519 takes the message itself. The raw RSA
decryption takes a block of modulus length and answers the whole padded block: removing the padding, in
constant time, is the client's part.

## Errors

An error reply (0xff) has one of these bytes as its payload; any other is an unknown error.

| byte | text |
| ---- | ---- |
${errors.join("\n")}

${PROTOCOL_CASES}`;
}

/** The text of docs/bench-schema.json. */
export function benchSchema(): string {
  const { $schema, ...fields } = z.toJSONSchema(BENCH_RESULT, {
    io: "input", // readers pass over fields that they do not know
    override: ({ jsonSchema }) => {
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  const description =
    "What keyless bench --json writes. Histograms are HdrHistogram's V2 encoding, " +
    "compressed, in base64; their values are nanoseconds, from 1 to 3,600,000,000,000 with 3 " +
    "significant digits, so that those of several runs can be added. Of requests: " +
    "sent = answered + wrong + errors + lost. Made from src/bench/result.ts by `deno task docs`.";
  return `${JSON.stringify({ $schema, title: SCHEMA, description, ...fields }, null, 2)}\n`;
}

function hexByte(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}

const FORMS = { byte: "1 byte", bytes: "bytes", text: "UTF-8" } as const;

const PROTOCOL_HEAD = `# The protocol

Made from the tables of \`src/protocol\` by \`deno task docs\`.

Keyless SSL 1.0 over mutually authenticated TLS, on TCP (2407) or a UNIX socket. Integers are big-endian.

\`\`\`
packet:  major u8 = 1 | minor u8 = 0 | length u16 = bytes after the header | id u32 | body
body:    items, each  tag u8 | length u16 | value
\`\`\`

Packets are filled up to 1,024 bytes with one padding item. A client may have up to 1,024 requests
outstanding on a connection (\`max_in_flight\`); answers come in any order, with the id of their request.
`;

const PROTOCOL_CASES = `## Replies, case by case

| input | reply |
| ----- | ----- |
| another major version | error 4 |
| an item that overruns the body, stands twice, or has a length that its tag forbids | error 7 |
| one or two bytes after the last item | error 7 |
| no opcode, an unknown one, or Custom without a handler | error 5 |
| a reply's opcode | error 6 |
| Seal, Unseal, RPC | error 8 |
| a slow key's request behind as many as can be signed within \`sign_timeout\`, or as may wait; or that waits that long | error 8 |
| no SKI and no certificate digest; either unknown, zero or of a wrong length | error 2 |
| an opcode that the key cannot serve | error 1 |
| a digest of a length that the opcode does not have | error 1 |
| RSA decrypt of a block of another length, or not below the modulus | error 1 |
| a broken trace span or request context | served; they are ignored |

The connection lives on in every case. It ends when a request stands incomplete, or nothing is asked, for
\`idle_timeout\`; when its client takes no replies for \`write_timeout\`; and when the server drains.
`;

/** Where the page of \`protocolPage\` stands. */
export const PROTOCOL_PAGE = new URL("../docs/protocol.md", import.meta.url);

/** Where the page of `configurationPage` stands. */
export const CONFIGURATION_PAGE = new URL("../docs/configuration.md", import.meta.url);

/** Where the text of `benchSchema` stands. */
export const BENCH_SCHEMA_FILE = new URL("../docs/bench-schema.json", import.meta.url);

/** Where the page of `errorsPage` stands. */
export const ERRORS_PAGE = new URL("../docs/errors.md", import.meta.url);

if (import.meta.main) {
  writeFileSync(ERRORS_PAGE, errorsPage());
  writeFileSync(CONFIGURATION_PAGE, configurationPage());
  writeFileSync(PROTOCOL_PAGE, protocolPage());
  writeFileSync(BENCH_SCHEMA_FILE, benchSchema());
  writeFileSync(METRICS_PAGE, metricsPage());
  writeFileSync(DASHBOARD_FILE, dashboardJson());
}
