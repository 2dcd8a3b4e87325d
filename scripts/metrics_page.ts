import { WIRE_ERRORS } from "../src/protocol/errors.ts";
import { OPCODES } from "../src/protocol/opcodes.ts";
import { HTTP_METRICS } from "../src/status/http_metrics.ts";
import { BASE_METRICS } from "../src/telemetry/metrics/base_table.ts";
import { BUCKETS, type MetricRow, METRICS } from "../src/telemetry/metrics/table.ts";
import { THREAD_METRICS } from "../src/telemetry/metrics/thread_metrics.ts";
import { TIMER_PARTS } from "../src/telemetry/metrics/timer.ts";
import type { ProofResult, ThreadKind } from "../src/telemetry/main_metrics.ts";
import type { HandshakeOutcome, TimeoutLimit } from "../src/telemetry/server_metrics.ts";
import type { ShedReason } from "../src/threads/signing_queue.ts";

/** Where the page of `metricsPage` stands. */
export const METRICS_PAGE = new URL("../docs/metrics.md", import.meta.url);

/** The text of docs/metrics.md. */
export function metricsPage(): string {
  return `${HEAD}
## The key server

${metricTable(METRICS)}

## Its HTTP ports

Of the metrics port and the status port together.

${metricTable(HTTP_METRICS)}

## The process

As every Prometheus client has them: \`process_cpu_seconds_total\`, \`process_resident_memory_bytes\`,
\`process_open_fds\`, \`process_max_fds\`, \`process_start_time_seconds\` and some more.

## Its threads

The main thread and the workers measure themselves; signing threads do not.

${metricTable(THREAD_METRICS)}

## Values of labels

\`opcode\` and the \`type\` that it belongs to:

| type | opcodes |
| ---- | ------- |
${opcodesByType()}
| unknown | \`unknown\`: none that the protocol has |

\`error\`; [the runbook](runbook.md) says of each what to do:

${Object.values(WIRE_ERRORS).map(({ text }) => `- ${errorLink(text)}`).join("\n")}

\`outcome\` of a handshake:

${valueTable(OUTCOMES)}

\`limit\` of a timeout:

${valueTable(LIMITS)}

\`reason\` of a request that signing threads did not carry out:

${valueTable(SHED)}

\`kind\` of a thread:

${valueTable(THREADS)}

\`result\` of a key's proof, which the portable engine makes when it loads the key, and does not show:

${valueTable(PROOFS)}

${LABELS}
## Histograms

All have the same buckets, in seconds; what took longer is in \`+Inf\` alone:

\`\`\`
${BUCKETS.map((bound) => Number(bound.toPrecision(5))).join(" ")}
\`\`\`

${MOMENTS}
## Base metrics

The same events under short names, for the status port (\`/_metrics\`) and for what is pushed to Graphite or a
URL. Before each stands \`metrics_prefix\`; in Prometheus's format dots and dashes are \`_\`.

| name | type | meaning |
| ---- | ---- | ------- |
${
    Object.entries(BASE_METRICS).map(([name, row]) => `| \`${name}\` | ${row.type} | ${row.help} |`)
      .join("\n")
  }

A timer has these parts (\`conn.handshake.max\`), durations in nanoseconds:

| part | meaning |
| ---- | ------- |
${Object.entries(TIMER_PARTS).map(([name, row]) => `| \`${name}\` | ${row.help} |`).join("\n")}

${PUSH}
${QUERIES}`;
}

/** The anchor that a heading of Markdown has on GitHub. */
export function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

function metricTable(table: Readonly<Record<string, MetricRow>>): string {
  const rows = Object.entries(table).map(([name, row]) => {
    const labels = row.labels.map((label) => `\`${label}\``).join(", ");
    const join = row.type === "gauge" ? row.join : "sum";
    return `| \`${name}\` | ${row.type} | ${labels} | ${join} | ${row.help} |`;
  });
  return [
    "| name | type | labels | joined by | meaning |",
    "| ---- | ---- | ------ | --------- | ------- |",
    ...rows,
  ].join("\n");
}

function opcodesByType(): string {
  const types = [...new Set(OPCODES.map(({ type }) => type))];
  return types.map((type) => {
    const names = OPCODES.filter((row) => row.type === type).map(({ name }) => `\`${name}\``);
    return `| ${type} | ${names.join(", ")} |`;
  }).join("\n");
}

function errorLink(text: string): string {
  return text === WIRE_ERRORS.NONE.text
    ? `\`${text}\`: the request was served`
    : `[\`${text}\`](runbook.md#${anchorOf(text)})`;
}

function valueTable(meanings: Readonly<Record<string, string>>): string {
  const rows = Object.entries(meanings).map(([value, meaning]) => `| \`${value}\` | ${meaning} |`);
  return ["| value | meaning |", "| ----- | ------- |", ...rows].join("\n");
}

const PROOFS: Readonly<Record<ProofResult, string>> = {
  pending: "it has not had its turn: 100,000 keys take some minutes; or its token is away",
  passed: "its signature is right",
  failed: "it made a wrong signature, and is not used any more; or it could not be proved",
};

const OUTCOMES: Readonly<Record<HandshakeOutcome, string>> = {
  ok: "the client is let in; `tls_version` says by which version",
  no_certificate: "the client showed no certificate",
  bad_certificate: "its certificate is expired, of another authority, or not made for clients",
  protocol: "it spoke no TLS, or none that this server speaks",
  timeout: "it took longer than `handshake_timeout`",
  left: "it hung up; health checks that only connect look like this",
  limit: "`max_connections` was reached",
  other: "anything else; the log's line `refused` says what",
};

const LIMITS: Readonly<Record<TimeoutLimit, string>> = {
  idle: "nothing was asked for `idle_timeout`: nothing is wrong",
  write: "the client took none of its replies for `write_timeout`",
};

const SHED: Readonly<Record<ShedReason, string>> = {
  full: "as many wait as may, or as are signed within sign_timeout; it is answered error 8 at once",
  deadline: "it has waited for `sign_timeout`, and is answered error 8",
  closed: "its connection is gone: nobody waits for the answer",
};

const THREADS: Readonly<Record<ThreadKind, string>> = {
  worker: "serves connections, which are lost with it; another takes its place",
  signing: "signs with slow keys; what it had is tried on another",
};

const HEAD = `# Metrics

Made from the tables of metrics by \`deno task docs\`.

\`\`\`sh
curl http://127.0.0.1:2406/metrics
\`\`\`

Plain HTTP on \`metrics_port\` of \`metrics_bind\`, that path alone, in Prometheus's text format 0.0.4.
\`?format=openmetrics\` gives OpenMetrics, which renames the counters: the queries below are for the text format.
The status port has the same at \`/_metrics/prometheus\`, over HTTPS.

What goes with it: [a scrape configuration and alerts](../deploy/prometheus), [a dashboard for
Grafana](../deploy/grafana/keyless.json), and [the runbook](runbook.md).

"Joined by" is how the values of the server's threads become one; counters of a worker that has died are kept.
Durations are seconds.
`;

const LABELS = `Labels of \`certificate_expiration_timestamp_seconds\`:

| label | value |
| ----- | ----- |
| \`source\` | the file of a certificate of the server's own; \`listener: ADDRESS\` for one that a client showed there |
| \`serial_no\` | serial number, decimal |
| \`cn\` | common name of the subject |
| \`hostnames\` | its DNS names, sorted, with commas between them |
| \`ca\`, \`server\`, \`client\` | 1 where it is an authority's, for TLS servers, for TLS clients; else 0 |

Of clients' certificates \`max_peer_certificates\` are shown; those that were not seen for longest leave.
`;

const MOMENTS = `## When is it counted

| event | where |
| ----- | ----- |
| a request comes in, whatever it is | \`keyless_requests\` |
| its response is made | \`keyless_request_exec_duration_per_opcode\` |
| the last byte of its response is written | \`keyless_request_total_duration_per_opcode\` |
| its private key was looked for, found or not | \`keyless_key_load_duration\` |
| a response that its client never took | not in \`keyless_request_total_duration_per_opcode\` |
| reading from or writing to an established connection fails | \`keyless_failed_connection\` |
| a client goes away in the middle of a request, or sends what is no packet | \`keyless_failed_connection\` |
| a client takes no replies (\`write_timeout\`) | \`keyless_failed_connection\`, \`keyless_connection_timeouts_total\` |
| an idle connection is closed, or one is drained | not in \`keyless_failed_connection\` |
| a client's handshake is done, but proves nothing (a resumed session, on Deno) | \`keyless_failed_connection\` |
| a handshake fails, or a client leaves before it is done | \`keyless_handshakes_total\` alone |
| a request is answered with an error | the label \`error\` alone; the connection lives on |

The time that a request waits for a slot is in none of the histograms: it is
\`keyless_requests_waiting_oldest_seconds\` while it lasts. The time that it waits for a signing thread is in both of
the request's histograms, and in \`keyless_signing_queue_oldest_seconds\`.
`;

const PUSH = `## Pushing

The base metrics can be sent every \`metrics_interval\`, besides being scraped:

- \`metrics_graphite\`: to a Graphite server, as lines of plain text over TCP, one connection each time. The server has
  taken them when it closes the connection in its turn.
- \`metrics_url\`: as JSON by POST. Any answer but 2xx is a failure.

A URL with a password or a token belongs in gokeyless.yaml or in \`KEYLESS_METRICS_URL\`: every user of the machine sees
the flags of a running process.

A sink that is down or slow costs a line in the log when it begins and one when it is over;
\`keyless_metrics_pushes_total\` counts.
`;

const QUERIES = `## Examples

Signatures and other requests a second, by operation:

\`\`\`promql
sum by (opcode) (rate(keyless_requests[1m]))
\`\`\`

Failed requests a second, by error:

\`\`\`promql
sum by (error) (
  rate(keyless_request_exec_duration_per_opcode_count{error!="no error"}[5m])
)
\`\`\`

The same as a share of all requests:

\`\`\`promql
sum(rate(keyless_request_exec_duration_per_opcode_count{error!="no error"}[5m]))
/
sum(rate(keyless_request_exec_duration_per_opcode_count[5m]))
\`\`\`

How long RSA operations take at most, but for one in a hundred:

\`\`\`promql
histogram_quantile(
  0.99,
  rate(keyless_request_exec_duration_per_opcode_bucket{type="rsa"}[5m])
)
\`\`\`

The same of finding keys. High here, and not above: the store is slow.

\`\`\`promql
histogram_quantile(0.99, rate(keyless_key_load_duration_bucket[5m]))
\`\`\`

How much longer requests take in all than until their response is made: clients or the network are slow to take
responses where this grows.

\`\`\`promql
sum(rate(keyless_request_total_duration_per_opcode_sum[5m]))
-
sum(rate(keyless_request_exec_duration_per_opcode_sum[5m]))
\`\`\`

Requests for slow keys that are not carried out, a second:

\`\`\`promql
sum by (reason) (rate(keyless_signing_shed_total[5m]))
\`\`\`

Connections that fail, a second:

\`\`\`promql
rate(keyless_failed_connection_total[5m])
\`\`\`

Refused handshakes a second, by reason:

\`\`\`promql
sum by (outcome) (rate(keyless_handshakes_total{outcome!="ok"}[5m]))
\`\`\`

Certificates with less than 30 days left:

\`\`\`promql
(certificate_expiration_timestamp_seconds - time()) / 86400 < 30
\`\`\`
`;
