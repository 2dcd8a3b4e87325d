import type { EngineChoice } from "../crypto/select_engine.ts";
import type { Pkcs11Uri } from "../hsm/uri.ts";

/**
 * Every setting, once. The type `Settings`, the flags of `keyless serve`, the names of environment
 * variables, `keyless config show` and the documentation derive from this table.
 *
 * A setting `auth_cert` stands in the file by that name, is the flag `--auth-cert` and the variable
 * KEYLESS_AUTH_CERT; the flag wins over the variable, that over the file, that over the default.
 * Names and defaults are gokeyless's as far as it has them, so that its gokeyless.yaml works here.
 */
export const SETTINGS = {
  // listening
  bind: {
    kind: "address",
    default: "",
    placeholder: "address",
    help: "address to listen on; empty means all, IPv4 and IPv6",
  },
  port: {
    kind: "port",
    default: 2407,
    help: "port to listen on; 0: the system chooses; off: none",
  },
  unix_socket: { kind: "socket", default: "", help: "UNIX socket to listen on as well" },
  metrics_port: {
    kind: "port",
    default: 2406,
    help: "port for /metrics, plain HTTP; 0: the system chooses; off: none",
  },
  metrics_bind: {
    kind: "address",
    default: "",
    placeholder: "address",
    help: "address of the metrics port; empty means all, IPv4 and IPv6",
  },
  status: {
    kind: "http_address",
    default: "",
    help: "status port: HOST:PORT for HTTPS, http://HOST:PORT, or unix:PATH; empty: none",
  },
  pid_file: {
    kind: "text",
    default: "",
    placeholder: "file",
    help: "where to write the process id",
  },

  // this server's identity, and who may connect
  auth_cert: { kind: "file", default: "server.pem", help: "this server's certificate, PEM" },
  auth_key: { kind: "file", default: "server-key.pem", help: "its private key, PEM" },
  cloudflare_ca_cert: {
    kind: "file",
    default: "keyless_cacert.pem",
    help: "CA certificates that clients must be signed by, PEM",
  },
  current_time: {
    kind: "time",
    default: "",
    help: "time to check certificates at, RFC 3339; only the system's clock is supported",
  },

  // the keys that it serves
  private_key_stores: {
    kind: "stores",
    default: [],
    sources: ["file"],
    help: "where the keys are: a list of `dir:`, `file:` and `uri:` (PKCS#11) entries",
  },
  private_key_dirs: {
    kind: "list",
    default: [],
    sources: ["flag"],
    placeholder: "dirs",
    help: "directories of *.key files, comma-separated; replaces private_key_stores",
  },
  private_key_files: {
    kind: "list",
    default: [],
    sources: ["flag"],
    placeholder: "files",
    help: "key files, comma-separated; replaces private_key_stores",
  },
  passphrase_file: {
    kind: "text",
    default: "",
    placeholder: "file",
    help: "file whose first line is the passphrase of encrypted keys",
  },
  passphrase: {
    kind: "text",
    default: "",
    sources: ["env"],
    secret: true,
    help: "the passphrase itself; use passphrase_file where you can",
  },
  allow_weak_keys: {
    kind: "switch",
    default: false,
    help: "serve RSA keys of less than 2048 bits",
  },
  keep_going: {
    kind: "switch",
    default: false,
    help: "serve the other keys when one cannot be read",
  },
  verify_hsm: {
    kind: "switch",
    default: false,
    help: "verify each signature of a PKCS#11 token before it leaves; needs libcrypto",
  },
  crypto: {
    kind: "choice",
    choices: ["auto", "libcrypto", "portable"] satisfies EngineChoice[],
    default: "auto",
    help: "engine: OpenSSL's libcrypto, or the portable one, whose ECDSA is not constant-time",
  },

  // threads and limits
  workers: {
    kind: "count",
    min: 0,
    max: 256,
    default: 0,
    help: "event loops that share the connections; 0: one for each core",
  },
  max_connections: {
    kind: "count",
    min: 1,
    max: 1_000_000,
    default: 10_000,
    help: "connections at a time",
  },
  max_in_flight: {
    kind: "count",
    min: 1,
    max: 65_536,
    default: 1_024,
    help: "unanswered requests of one connection",
  },
  handshake_timeout: { kind: "duration", default: 10_000, help: "deadline of a TLS handshake" },
  idle_timeout: { kind: "duration", default: 30_000, help: "close a connection that is silent" },
  unix_idle_timeout: {
    kind: "duration",
    default: 3_600_000,
    help: "the same for the UNIX socket",
  },
  write_timeout: {
    kind: "duration",
    default: 30_000,
    help: "close a connection that does not read its answers",
  },
  shutdown_timeout: {
    kind: "duration",
    minMs: 0,
    default: 30_000,
    help: "how long open requests may finish when the server stops",
  },
  sign_timeout: {
    kind: "duration",
    minMs: 0,
    default: 10_000,
    help: "give a request up that waits longer for its signature; 0: never",
  },
  sign_retry_count: {
    kind: "count",
    min: 0,
    max: 100,
    default: 0,
    help: "further attempts at an operation that failed in this server, within sign_timeout",
  },

  // what it says
  loglevel: {
    kind: "loglevel",
    default: 1,
    short: "-l",
    help: "0 debug, 1 info, 2 warning, 3 error, 4 critical, 5 fatal; or the name",
  },
  log_format: {
    kind: "choice",
    choices: ["auto", "pretty", "json"],
    default: "auto",
    help: "pretty for people, json for machines; auto: pretty on a terminal",
  },
  max_peer_certificates: {
    kind: "count",
    min: 0,
    max: 100_000,
    default: 1_000,
    help: "clients' certificates whose expiry the metrics show; the oldest leave",
  },
  enable_pprof: {
    kind: "switch",
    default: false,
    help: "serve profiles of this process on the status port",
  },
  enable_heap_profile: {
    kind: "switch",
    default: false,
    help: "heap profiles too: what is alive by type; taking one stops the server for seconds",
  },
  enable_shutdown: {
    kind: "switch",
    default: false,
    help: "let a POST to /_shutdown on the status port stop the server",
  },
  metrics_graphite: {
    kind: "host_port",
    default: "",
    help: "push metrics to this Graphite server, as plain text over TCP",
  },
  metrics_url: {
    kind: "url",
    default: "",
    help: "push metrics to this URL, as JSON by POST",
  },
  metrics_interval: {
    kind: "duration",
    minMs: 1_000,
    default: 30_000,
    help: "how often metrics are pushed",
  },
  metrics_prefix: {
    kind: "metric_name",
    default: "keyless",
    help: "first part of the names of pushed metrics, and of the status port's own",
  },
  tracing_enabled: {
    kind: "switch",
    default: false,
    help: "send traces to an OpenTelemetry collector",
  },
  tracing_address: {
    kind: "collector",
    default: "",
    help: "the collector, OTLP over HTTP: HOST:PORT or a URL; empty: localhost:4318",
  },
  tracing_sample_rate: {
    kind: "ratio",
    default: 0,
    help: "share of requests that is traced, beside those whose caller is traced",
  },

  // getting a certificate
  hostname: { kind: "text", default: "", placeholder: "name", help: "host name, for enrolment" },
  zone_id: { kind: "text", default: "", placeholder: "id", help: "zone, for enrolment" },
  origin_ca_api_key: {
    kind: "text",
    default: "",
    placeholder: "key",
    secret: true,
    help: "API key, for enrolment",
  },
  init_endpoint: {
    kind: "url",
    default: "https://api.cloudflare.com/client/v4/certificates/",
    help: "where certificates are requested",
  },
  auth_csr: {
    kind: "text",
    default: "server.csr",
    placeholder: "file",
    help: "where enrolment keeps its certificate request",
  },
} as const satisfies Record<string, Setting>;

export type SettingKey = keyof typeof SETTINGS;

/** The values of all settings. Durations are milliseconds; an empty text means that none is set. */
export type Settings = { readonly [Key in SettingKey]: ValueOf<(typeof SETTINGS)[Key]> };

/** One row of the table. */
export interface Setting {
  readonly kind: Kind;
  readonly default: unknown;
  /** One line, for `--help`. */
  readonly help: string;
  /** What stands for the value in `--help`; from the kind where it is left out. */
  readonly placeholder?: string;
  readonly short?: string;
  /** Where it is read from; everywhere where this is left out. */
  readonly sources?: readonly Source[];
  /** Never shown. */
  readonly secret?: true;
  /** "choice": what may be chosen. */
  readonly choices?: readonly string[];
  /** "count": the smallest and the largest. */
  readonly min?: number;
  readonly max?: number;
  /** "duration": the shortest, in milliseconds; 1 where it is left out. */
  readonly minMs?: number;
}

export type Source = "file" | "env" | "flag";

/** Where the keys of one entry of `private_key_stores` are. */
export type KeyStoreSetting =
  | { readonly dir: string }
  | { readonly file: string }
  | { readonly uri: Pkcs11Uri };

/** The levels of `loglevel`, by their number. */
export const LOG_LEVELS = ["debug", "info", "warning", "error", "critical", "fatal"] as const;
export type LogLevel = 0 | 1 | 2 | 3 | 4 | 5;

/** The value that each kind of setting has. */
export interface KindValues {
  /** May be empty. */
  readonly text: string;
  /** The path of a file that is read; never empty. */
  readonly file: string;
  /** The path of a UNIX socket; may be empty. */
  readonly socket: string;
  /** Of http or https; may be empty where the default is. */
  readonly url: string;
  /** As `parseHostPort` reads it; may be empty. */
  readonly host_port: string;
  /** Words with dots between. */
  readonly metric_name: string;
  readonly address: string;
  /** As `parseHttpAddress` reads it; may be empty. */
  readonly http_address: string;
  /** What `collectorUrl` takes; may be empty. */
  readonly collector: string;
  /** RFC 3339; may be empty. */
  readonly time: string;
  readonly port: number | "off";
  readonly switch: boolean;
  readonly duration: number;
  readonly count: number;
  readonly ratio: number;
  readonly loglevel: LogLevel;
  readonly choice: string;
  readonly list: readonly string[];
  readonly stores: readonly KeyStoreSetting[];
}

export type Kind = keyof KindValues;

export const SETTING_KEYS = Object.keys(SETTINGS) as readonly SettingKey[];

/** The row of a key, with the fields that this row leaves out. */
export function settingOf(key: SettingKey): Setting {
  return SETTINGS[key];
}

export function isReadFrom(key: SettingKey, source: Source): boolean {
  return settingOf(key).sources?.includes(source) ?? true;
}

/** `auth_cert` → `--auth-cert`. */
export function flagOf(key: SettingKey): string {
  return `--${key.replaceAll("_", "-")}`;
}

/** `auth_cert` → `KEYLESS_AUTH_CERT`. */
export function variableOf(key: SettingKey): string {
  return `KEYLESS_${key.toUpperCase()}`;
}

type ValueOf<Row extends Setting> = Row extends { readonly choices: readonly (infer Choice)[] }
  ? Choice
  : KindValues[Row["kind"]];
