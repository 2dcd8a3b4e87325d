import assert from "node:assert/strict";
import { isIP } from "node:net";
import { describe, test } from "node:test";
import fc from "fast-check";
import { collectorUrl } from "../../src/config/collector.ts";
import { MAX_TIMER_MS } from "../../src/text/duration.ts";
import { parseHostPort } from "../../src/config/host_port.ts";
import { acceptedBy, formatValue, parseValue } from "../../src/config/kinds.ts";
import { type Kind, type Setting, SETTING_KEYS, settingOf } from "../../src/config/settings.ts";
import { parseHttpAddress } from "../../src/status/http_address.ts";

const isText = (value: unknown) =>
  typeof value === "string" && value.length <= 4_096 && !value.includes("\0");
const isWhole = (value: unknown, min: number, max: number) =>
  Number.isInteger(value) && Number(value) >= min && Number(value) <= max;

/** What a value of each kind must be, whatever text it was read from. */
const IS_VALUE: Readonly<Record<Kind, (value: unknown, setting: Setting) => boolean>> = {
  text: isText,
  file: (value) => isText(value) && value !== "",
  socket: (value) => isText(value) && new TextEncoder().encode(String(value)).length <= 107,
  url: (value, setting) =>
    value === "" ? setting.default === "" : /^https?:$/.test(new URL(String(value)).protocol),
  host_port: (value) => value === "" || parseHostPort(String(value)) !== undefined,
  metric_name: (value) =>
    /^[a-z][\w.-]{0,99}$/i.test(String(value)) && !/\.\.|\.$/.test(String(value)),
  collector: (value) => value === "" || collectorUrl(String(value)) !== undefined,
  http_address: (value) => value === "" || parseHttpAddress(String(value)) !== undefined,
  address: (value) =>
    value === "" || isIP(String(value)) !== 0 || /^[a-z0-9][a-z0-9.-]*$/i.test(String(value)),
  time: (value) => value === "" || !Number.isNaN(Date.parse(String(value))),
  port: (value) => value === "off" || isWhole(value, 0, 65_535),
  switch: (value) => typeof value === "boolean",
  duration: (value, { minMs = 1 }) =>
    typeof value === "number" && value >= minMs && value <= MAX_TIMER_MS,
  count: (value, { min, max }) => isWhole(value, min!, max!),
  ratio: (value) => typeof value === "number" && value >= 0 && value <= 1,
  loglevel: (value) => isWhole(value, 0, 5),
  choice: (value, { choices }) => choices!.includes(String(value)),
  list: (value) => Array.isArray(value) && value.length > 0 && value.every((each) => each !== ""),
  stores: () => false,
};

/** Texts of every kind of setting, right and nearly right. */
const WORDS = [
  ...[
    "",
    "off",
    "OFF",
    "true",
    "0",
    "1",
    "-1",
    "65535",
    "65536",
    "1e3",
    "0x10",
    "0.5",
    ".5",
    "0.00000012",
  ],
  ...["1h30m", "500ms", "1d", "25d", "\u00b5s", "debug", "Warning", "auto", "json", "a,b", ","],
  ...["::1", "127.0.0.1", "256.1.1.1", "localhost", "https://a.example/", "http://", "ftp://a"],
  ...["graphite:2003", "[::1]:2003", "h:0", "h:65536", "a.b-c_d", "a..b", "a.", ".a", "1a"],
  ...["2026-01-31T12:00:00Z", "2026-13-01T00:00:00Z", "/run/keyless.sock", "server.pem", "\0"],
];

const word = fc.constantFrom(...WORDS);
const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.stringMatching(/^[0-9a-z.:,/-]{0,30}$/),
  word,
  fc.tuple(word, fc.string({ maxLength: 3 }), word).map((parts) => parts.join("")),
  fc.tuple(word, fc.integer({ min: 100, max: 5_000 })).map(([text, count]) => text.repeat(count)),
);

describe("parseValue gives a value of its kind, or none, for any text", () => {
  for (const key of SETTING_KEYS) {
    const setting = settingOf(key);

    test(`${key}, of the kind ${setting.kind}`, () => {
      fc.assert(fc.property(anyText, (text) => {
        const parsed = parseValue(setting, text);
        if (parsed === undefined) return;
        assert.ok(IS_VALUE[setting.kind](parsed.value, setting), JSON.stringify(parsed.value));
        const written = formatValue(setting, parsed.value);
        assert.deepEqual(parseValue(setting, written), parsed, `written as ${written}`);
      }));
    });
  }

  test("and says of every setting what it accepts", () => {
    for (const key of SETTING_KEYS) {
      assert.doesNotMatch(acceptedBy(settingOf(key)), /undefined|NaN/, key);
    }
  });
});
