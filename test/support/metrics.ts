import type { MetricSnapshot } from "../../src/telemetry/metrics/registry.ts";
import { renderMetrics } from "../../src/telemetry/metrics/render.ts";

/** A line of the text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The samples of a text in Prometheus's format, as its page on exposition formats describes it. */
export function parseSamples(text: string): Sample[] {
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
    const found = SAMPLE.exec(line);
    if (found === null) throw new Error(`no sample: ${line}`);
    const [, name = "", labels = "", value = ""] = found;
    return { name, labels: parseLabels(labels), value: Number(value.replace("Inf", "Infinity")) };
  });
}

/** The value of the one sample of that name whose labels are those given, and perhaps more. */
export function sampleValue(
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const found = samples.filter((each) =>
    each.name === name &&
    Object.entries(labels).every(([label, value]) => each.labels[label] === value)
  );
  if (found.length > 1) throw new Error(`${found.length} samples of ${name}`);
  return found[0]?.value ?? NaN;
}

/** What a scrape of these metrics would show. */
export async function scrape(snapshot: readonly MetricSnapshot[]): Promise<Sample[]> {
  return parseSamples(await renderMetrics(snapshot));
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [, name = "", value = ""] of text.matchAll(LABEL)) {
    labels[name] = value.replace(/\\(.)/g, (_, character) => character === "n" ? "\n" : character);
  }
  return labels;
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;
