import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type LoadedSettings, resolveSettings } from "../../src/config/load.ts";
import {
  flagOf,
  isReadFrom,
  type Kind,
  SETTING_KEYS,
  type SettingKey,
  settingOf,
  variableOf,
} from "../../src/config/settings.ts";

/** Two values of each kind, as they are written and as they are read, neither of them a default. */
const SAMPLES: Readonly<Record<Kind, readonly (readonly [text: string, value: unknown])[]>> = {
  text: [["one", "one"], ["007", "007"], ["two words", "two words"]],
  file: [["one.pem", "one.pem"], ["/two", "/two"], ["3", "3"]],
  socket: [["/run/a", "/run/a"], ["b.sock", "b.sock"], ["c", "c"]],
  url: [
    ["https://a.example/x", "https://a.example/x"],
    ["http://b.example", "http://b.example"],
    ["https://c.example:8443/", "https://c.example:8443/"],
  ],
  host_port: [["h.example:1", "h.example:1"], ["'[::1]:2003'", "[::1]:2003"], ["c:3", "c:3"]],
  metric_name: [["a", "a"], ["b-1.key_less", "b-1.key_less"], ["C.3", "C.3"]],
  collector: [
    ["localhost:4318", "localhost:4318"],
    ["https://a.example/otlp", "https://a.example/otlp"],
    ["collector.example", "collector.example"],
  ],
  http_address: [
    ["127.0.0.1:6060", "127.0.0.1:6060"],
    ["http://localhost:6060", "http://localhost:6060"],
    ["unix:/run/x.sock", "unix:/run/x.sock"],
  ],
  address: [["127.0.0.1", "127.0.0.1"], ["'::1'", "::1"], ["localhost", "localhost"]],
  time: [],
  port: [["1", 1], ["off", "off"], ["65535", 65_535]],
  switch: [["true", true], ["yes", true], ["1", true]],
  duration: [["1500ms", 1_500], ["1m30s", 90_000], ["7", 7_000]],
  count: [["1", 1], ["3", 3], ["7", 7]],
  ratio: [["0.5", 0.5], ["1", 1], [".25", 0.25]],
  loglevel: [["0", 0], ["warning", 2], ["FATAL", 5]],
  choice: [],
  list: [["a,b", ["a", "b"]], ["c", ["c"]], ["d,e,f", ["d", "e", "f"]]],
  stores: [],
};

const CHOICES: Readonly<Partial<Record<SettingKey, typeof SAMPLES.text>>> = {
  crypto: [["libcrypto", "libcrypto"], ["portable", "portable"], ["libcrypto", "libcrypto"]],
  log_format: [["json", "json"], ["pretty", "pretty"], ["json", "json"]],
};

/** A port of "off" alone leaves nothing to listen on, which is an error of its own. */
const SOMETHING_TO_LISTEN_ON = "unix_socket: /run/other\n";

describe("every setting", () => {
  const keys = SETTING_KEYS.filter((key) => samplesOf(key).length > 0);

  test("is tried here, but for the two that have tests of their own", () => {
    const left = SETTING_KEYS.filter((key) => !keys.includes(key));
    assert.deepEqual(left, ["current_time", "private_key_stores"]);
  });

  for (const key of keys) {
    const [inFile, inEnv, inFlag] = samplesOf(key);
    const file = isReadFrom(key, "file") ? inFile : undefined;
    const env = isReadFrom(key, "env") ? inEnv : undefined;
    const flag = isReadFrom(key, "flag") ? inFlag : undefined;

    if (file !== undefined) {
      test(`${key}: the file's value wins over the default`, () => {
        const loaded = load(key, { file: file[0] });
        assert.deepEqual(loaded.settings[key], file[1]);
        assert.equal(loaded.origins[key], "file gokeyless.yaml:1");
      });
    }
    if (env !== undefined) {
      test(`${key}: ${variableOf(key)} wins over the file`, () => {
        const loaded = load(key, { file: file?.[0], env: unquoted(env[0]) });
        assert.deepEqual(loaded.settings[key], env[1]);
        assert.equal(loaded.origins[key], `environment ${variableOf(key)}`);
      });
    }
    if (flag !== undefined) {
      test(`${key}: ${flagOf(key)} wins over all`, () => {
        const loaded = load(key, {
          file: file?.[0],
          env: env?.[0] && unquoted(env[0]),
          flag: flag[0],
        });
        assert.deepEqual(loaded.settings[key], flag[1]);
        assert.equal(loaded.origins[key], `flag ${flagOf(key)}`);
      });
    }
    test(`${key}: an empty variable and an empty value in the file count as not set`, () => {
      const loaded = load(key, { file: file && "", env: "" });
      assert.deepEqual(loaded.settings[key], settingOf(key).default);
      assert.equal(loaded.origins[key], "default");
    });
  }
});

describe("defaults", () => {
  test("are gokeyless's where it has the setting", () => {
    const { settings } = resolve({});
    assert.equal(settings.loglevel, 1);
    assert.equal(settings.port, 2407);
    assert.equal(settings.metrics_port, 2406);
    assert.equal(settings.auth_cert, "server.pem");
    assert.equal(settings.auth_key, "server-key.pem");
    assert.equal(settings.auth_csr, "server.csr");
    assert.equal(settings.cloudflare_ca_cert, "keyless_cacert.pem");
    assert.deepEqual(settings.private_key_stores, []);
  });

  test("pass their own checks", () => {
    for (const key of SETTING_KEYS) {
      const { kind, default: value } = settingOf(key);
      if (value === "" || Array.isArray(value)) continue;
      const text = kind === "duration" ? `${Number(value) / 1_000}` : String(value);
      const flags = { [key]: text };
      assert.deepEqual(resolve({ flags }).settings[key], value, key);
    }
  });

  test("give no warning", () => {
    assert.deepEqual(resolve({}).warnings, []);
  });
});

describe("values", () => {
  const REFUSED: Readonly<Partial<Record<SettingKey, readonly string[]>>> = {
    port: ["-1", "65536", "1.5", "http", "0x50", "OFF ", "1e3", " 1", "9".repeat(400)],
    bind: ["127.0.0.1:2407", "[::1]", "1.2.3", "256.1.1.1", "a b", "-x", "a".repeat(300)],
    unix_socket: ["/" + "a".repeat(107), "/\u00e9".repeat(36), "a\0b"],
    auth_cert: ["a\0b", "a".repeat(4_097)],
    hostname: ["a".repeat(4_097), "\0"],
    sign_retry_count: ["101", "-1"],
    workers: ["257", "-1", "1.5", "two"],
    allow_weak_keys: ["2", "maybe", "TRUE!", "-1"],
    max_connections: ["0", "1000001", "1.5", "many", "-1"],
    max_in_flight: ["0", "65537"],
    idle_timeout: ["0", "0s", "25d", "-1s", "soon", "1" + "0".repeat(70)],
    shutdown_timeout: ["-1s", "25d"],
    tracing_address: ["http://", "ftp://a.example", "h:0", "http://h:99999", "h:4318/v1/traces"],
    tracing_sample_rate: ["1.1", "-0.1", "half", "1e-3", "."],
    loglevel: ["6", "-1", "verbose", "1.5"],
    crypto: ["openssl", "AUTO", "auto,portable"],
    log_format: ["text"],
    init_endpoint: ["ftp://a.example", "a.example", "https://", ""],
    metrics_url: ["ftp://a.example", "a.example:80", "http://"],
    metrics_graphite: [
      "h",
      "h:",
      ":1",
      "h:0",
      "h:65536",
      "::1:2003",
      "[::1]",
      "[h]:1",
      "u@h:1",
      "h h:1",
    ],
    metrics_interval: ["0", "999ms", "25d"],
    metrics_prefix: [
      ...[
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "1a",
        "_a",
        "a b",
        "a\nb 1 1",
        "a/b",
        "a=b",
        "a;b",
        "\u00e4",
      ],
      "a".repeat(101),
    ],
    current_time: ["yesterday", "2026-01-01", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00"],
    private_key_dirs: [",", "a,,b", "a,", `a,${"a".repeat(4_097)}`],
  };

  for (const key of Object.keys(REFUSED) as SettingKey[]) {
    for (const text of REFUSED[key] ?? []) {
      test(`${key} refuses ${JSON.stringify(text.slice(0, 30))} and says what to give`, () => {
        assert.throws(() => resolve({ flags: { [key]: text } }), (error: Error) => {
          assert.match(error.message, new RegExp(`^flag ${flagOf(key)}: ${key} is ".*"; give `));
          assert.ok(error.message.length < 400);
          return "code" in error && error.code === "CONFIG_VALUE";
        });
      });
    }
  }

  const ACCEPTED: Readonly<Partial<Record<SettingKey, readonly string[]>>> = {
    port: ["0", "1", "65535"],
    max_connections: ["1", "1000000"],
    max_in_flight: ["1", "65536"],
    idle_timeout: ["1ms", "2147483647ms"],
    shutdown_timeout: ["0"],
    unix_socket: ["/" + "a".repeat(106)],
    auth_cert: ["a".repeat(4_096)],
    hostname: ["a".repeat(4_096)],
    private_key_dirs: [`a,${"a".repeat(4_096)}`],
    sign_retry_count: ["0", "100"],
    workers: ["0", "256"],
    bind: ["", "0.0.0.0", "::", "fe80::1", "host-1.example"],
    allow_weak_keys: ["TRUE", "No", "off", "0"],
    sign_timeout: ["0"],
    metrics_url: ["", "http://me:secret@[::1]:8080/in?a=b"],
    metrics_graphite: [
      "",
      "h:1",
      "10.0.0.1:65535",
      "[fe80::1]:2003",
      "graphite_1.example.com:2003",
    ],
    metrics_interval: ["1s"],
    metrics_prefix: ["a", "a".repeat(100), "dc1.edge-1.key_less", "k.1"],
  };

  for (const key of Object.keys(ACCEPTED) as SettingKey[]) {
    for (const text of ACCEPTED[key] ?? []) {
      test(`${key} accepts ${JSON.stringify(text.slice(0, 30))}`, () => {
        assert.equal(resolve({ flags: { [key]: text } }).origins[key], `flag ${flagOf(key)}`);
      });
    }
  }
});

function samplesOf(key: SettingKey): typeof SAMPLES.text {
  return CHOICES[key] ?? SAMPLES[settingOf(key).kind];
}

function unquoted(text: string): string {
  return text.replaceAll("'", "");
}

function load(
  key: SettingKey,
  texts: { file?: string | undefined; env?: string | undefined; flag?: string | undefined },
): LoadedSettings {
  const other = key === "unix_socket" ? "" : SOMETHING_TO_LISTEN_ON;
  return resolve({
    text: texts.file === undefined ? other : `${key}: ${texts.file}\n${other}`,
    env: { [variableOf(key)]: texts.env },
    flags: { [key]: texts.flag },
  });
}

function resolve(
  { text, env = {}, flags = {} }: {
    text?: string;
    env?: Record<string, string | undefined>;
    flags?: Record<string, string | undefined>;
  },
): LoadedSettings {
  const file = text === undefined ? undefined : { path: "gokeyless.yaml", text };
  return resolveSettings({ flags, env, file, unknownKeys: "refuse" });
}
