import { z } from "zod";
import { KeylessError } from "../errors/errors.ts";
import { quoted } from "../errors/printable.ts";
import { decodeHistogram } from "./histogram.ts";

/** It changes when a field changes its meaning or goes. */
export const SCHEMA = "keyless-bench/1";

/**
 * The result of a benchmark, as `--json` and `--save` write it and `bench compare` reads it: once,
 * here; the types below derive from it. Fields that a reader does not know are passed over.
 *
 * Histograms are HdrHistogram's V2 encoding, compressed, in base64: values in nanoseconds, with the
 * geometry of `createHistogram`. Decode them with `decodeHistogram`; add them up to merge runs.
 *
 * Of requests that were due after the warm-up, sent + dropped: sent = answered + wrong + errors + lost.
 */
export const BENCH_RESULT = z.object({
  schema: z.literal(SCHEMA),
  started: z.string().describe("When the first measured request was sent, ISO 8601."),
  tool: z.object({
    version: z.string(),
    runtime: z.string().describe("bun 1.4.4, say."),
    platform: z.string().describe("linux x64, say."),
    cpuModel: z.string(),
    cores: count(),
  }),
  targets: z.array(z.string()).describe("host:port or unix:/path."),
  options: z.object({
    operations: z.array(z.object({
      name: z.string(),
      weight: count(),
      keys: count().describe("Different keys that it was asked with; 0 for ping."),
    })),
    connections: count().describe("Over all threads."),
    inFlight: count().describe(
      "Of each connection: outstanding in a closed loop, at most outstanding in an open one.",
    ),
    threads: count(),
    mode: z.enum(["closed", "open"]).describe(
      "closed: each answer asks for the next request; open: by the clock, whatever comes back.",
    ),
    ratePerSecond: nullable(z.number().nonnegative()).describe(
      "Of all threads together; null in a closed loop.",
    ),
    rampMs: z.number().nonnegative(),
    warmupMs: z.number().nonnegative(),
    durationMs: nullable(z.number().nonnegative()).describe(
      "null where the run ended with a number of requests.",
    ),
    requests: nullable(count()),
    timeoutMs: z.number().nonnegative(),
    verifyEvery: count(),
  }),
  endedEarly: nullable(z.string()).describe(
    'Why it ended before its time ("interrupted", or what became of the target); null if it did not.',
  ),
  elapsedMs: z.number().nonnegative().describe(
    "How long was measured: the denominator of all rates.",
  ),
  totals: z.object({
    sent: count(),
    answered: count().describe("With a reply that is right as far as it was looked at."),
    wrong: count().describe("With a signature or a decryption that is wrong."),
    errors: count().describe("With an error reply."),
    lost: count().describe("Never answered: their connection was lost, or the time was over."),
    dropped: count().describe("Open loop: not sent, because no connection had room for them."),
    late: count().describe("Open loop: sent more than a millisecond after their time."),
    ratePerSecond: z.number().nonnegative().describe(
      "Right answers in each second of the measured time, whenever they were asked for.",
    ),
  }),
  operations: z.array(z.object({
    name: z.string(),
    sent: count(),
    answered: count(),
    wrong: count(),
    errors: z.array(z.object({
      wireCode: count().describe("The byte of the protocol's error table."),
      text: z.string(),
      count: count(),
    })),
    lost: count(),
    dropped: count(),
    ratePerSecond: z.number().nonnegative(),
    latencyNs: histogram().describe(
      "Of right answers: from when the request was sent; in an open loop, from when it was due.",
    ),
    serviceNs: nullable(histogram()).describe(
      "Open loop: from when the request was really sent; null in a closed loop.",
    ),
  })),
  transportErrors: z.array(z.object({
    code: z.string(),
    message: z.string().describe("Of the first one."),
    count: count(),
  })).describe(
    'What happened to connections while the load ran, counted by code ("CONNECTION_LOST").',
  ),
  connects: z.object({
    made: count(),
    failed: count(),
    setUpNs: histogram().describe("From looking up the name to the end of the handshake."),
  }).describe("Connections made: those of the start, and those made again."),
  pacerLatenessNs: nullable(histogram()).describe(
    "Open loop: how long after their time requests were sent; null in a closed loop.",
  ),
  series: z.array(z.object({
    atSeconds: z.number().nonnegative().describe("Seconds since started at the row's begin."),
    spanSeconds: z.number().nonnegative().describe("How long the row is."),
    answered: count().describe("Right answers that came in it."),
    ratePerSecond: z.number().nonnegative(),
    errors: count().describe("Error replies, and requests that were lost or dropped."),
    p50Ns: z.number().nonnegative().describe("Of the right answers; 0 where there was none."),
    p99Ns: z.number().nonnegative(),
  })).describe("One row for each second of the measured time, the last one may be shorter."),
  verification: z.object({
    checked: count().describe("Signatures and decryptions that were looked at, right or wrong."),
    skipped: count().describe(
      "Those that were due but could not be checked: no public key, or too many at once.",
    ),
  }),
  client: z.object({
    threads: z.array(z.object({
      cpuShare: nullable(z.number().nonnegative()).describe(
        "Share of the measured time on a core, 0 to 1.",
      ),
      waitShare: nullable(z.number().nonnegative()).describe(
        "Share of it that it was ready to run, but had no core.",
      ),
    })).describe("One row for each client thread; null where the system does not tell."),
    isBottleneck: z.boolean().describe(
      "Whether the figures are the client's limit rather than the server's.",
    ),
    reason: nullable(z.string()).describe("Why, and what to do; null where it is not."),
  }),
});

export type BenchResult = z.infer<typeof BENCH_RESULT>;
export type BenchOperationResult = BenchResult["operations"][number];
export type BenchSecond = BenchResult["series"][number];

/**
 * Reads a result back.
 *
 * @param name of the file, for messages
 * @throws KeylessError "FILE_READ" for text that is no result, or one of another version
 */
export function parseResult(text: string, name: string): BenchResult {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new KeylessError("FILE_READ", `${quoted(name)} is no JSON; ${MEND}`, { cause });
  }
  const parsed = BENCH_RESULT.safeParse(document);
  if (parsed.success) return parsed.data;
  const version = (document as { readonly schema?: unknown } | null)?.schema;
  if (typeof version === "string" && version !== SCHEMA && /^keyless-bench\/\d+$/.test(version)) {
    const versions = `is of version ${version}, and this program reads ${SCHEMA}`;
    const mend = "use the program that wrote it, or measure again";
    throw new KeylessError("FILE_READ", `${quoted(name)} ${versions}: ${mend}`);
  }
  const [issue] = parsed.error.issues;
  const where = issue?.path.join(".") || "the document";
  throw new KeylessError(
    "FILE_READ",
    `${quoted(name)} is no result of a benchmark: ${where}: ${issue?.message}; ${MEND}`,
  );
}

const MEND = "give a file that keyless bench --save wrote";

function count(): z.ZodInt {
  return z.int().nonnegative();
}

function nullable<T extends z.ZodType>(inner: T): z.ZodNullable<T> {
  return z.nullable(inner);
}

/** A histogram is read once here, so that its users need not expect a broken one. */
function histogram(): z.ZodString {
  return z.string().refine(isHistogram, "no histogram of this version")
    .meta({ contentEncoding: "base64" });
}

function isHistogram(text: string): boolean {
  try {
    decodeHistogram(text);
    return true;
  } catch {
    return false;
  }
}
