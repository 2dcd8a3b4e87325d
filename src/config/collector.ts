/**
 * The URL that traces go to, from an address as `tracing_address` has it; undefined where it is none.
 *
 * - `HOST` or `HOST:PORT`, gokeyless's form: OTLP over HTTP, at port 4318 where none is given
 * - a URL with http:// or https://, and the path `/v1/traces` where it has none; without a password,
 *   which would be shown: OTEL_EXPORTER_OTLP_HEADERS is the place for it
 *
 * Source: "OpenTelemetry Protocol Exporter", endpoint configuration.
 */
export function collectorUrl(address: string): string | undefined {
  const isUrl = /^https?:\/\/\S+$/i.test(address);
  if (!isUrl && !HOST_AND_PORT.test(address)) return undefined;
  const url = parseUrl(isUrl ? address : `http://${withPort(address)}`);
  if (url === undefined || url.username !== "" || url.password !== "") return undefined;
  if (url.port === "0") return undefined;
  if (url.pathname === "/") url.pathname = TRACES_PATH;
  url.hash = "";
  return url.href;
}

/** Where collectors listen that nobody has told otherwise. */
export const DEFAULT_COLLECTOR_URL = "http://localhost:4318/v1/traces";

const TRACES_PATH = "/v1/traces";
const DEFAULT_PORT = 4318;

/** A name, an IPv4 address or an IPv6 one in brackets; and a port. */
const HOST_AND_PORT = /^(?:[a-z0-9][a-z0-9._-]*|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

function withPort(address: string): string {
  return /:\d+$/.test(address) && !address.endsWith("]") ? address : `${address}:${DEFAULT_PORT}`;
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
