import process from "node:process";
import { keyLabel } from "../../src/crypto/public_key.ts";
import { defaultScheme } from "../../src/crypto/verify.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import { quoted } from "../../src/errors/printable.ts";
import { formatUri, type Pkcs11Uri } from "../../src/hsm/uri.ts";
import { createProgress } from "../progress.ts";
import type { ReportedKey } from "./key_report.ts";
import { type MeasuredKind, measureRates, recommendedSessions } from "./measure_rates.ts";
import type { OpenToken } from "./open_module.ts";
import type { Recommendation, TestedKey } from "./test_report.ts";
import { KeyTrials, type KnownKey, questionOf } from "./try_key.ts";

/** Tries every operation of every key, one after the other. */
export async function tryKeys(
  keys: readonly ReportedKey[],
  { channel, slot: { slotId } }: OpenToken,
): Promise<readonly TestedKey[]> {
  const bound = keys.map(({ handle }, number) => ({ number, handle }));
  await channel.ask("bindKeys", { keys: bound });
  const mechanisms = await channel.ask("mechanisms", { slotId });
  const trials = new KeyTrials(channel, slotId, mechanisms);
  const progress = createProgress("testing keys:", process.stderr);
  const tested: TestedKey[] = [];
  for (const [number, key] of keys.entries()) {
    progress.show(number, keys.length);
    tested.push({ key, trials: isKnown(key) ? await trials.all(key, number) : [] });
  }
  progress.clear();
  await trials.close();
  return tested;
}

/** What a test fails with: answers that are wrong or missing, and keys of which nothing can be had. */
export function failuresOf(tested: readonly TestedKey[]): readonly KeylessError[] {
  return tested.flatMap(({ key: { label, problem }, trials }) => {
    const failed = trials.filter(({ outcome }) => outcome === "wrong" || outcome === "failed");
    const whys = failed.map(({ scheme, outcome, why }) => `${scheme} ${outcome}: ${why}`);
    if (problem !== undefined) whys.push(problem);
    else if (trials.every(({ outcome }) => outcome === "unsupported")) whys.push(NO_OPERATION);
    const name = `the key ${quoted(label)}`;
    return whys.map((why) => new KeylessError("CHECK_FAILED", `${name}: ${why}`));
  });
}

export interface MeasureOptions {
  /** Of those that sign. */
  readonly maxSessions: number;
  readonly durationMs: number;
}

/** The rates of a key of each kind, with the operation that suits it best among those that work. */
export async function measureKinds(
  tested: readonly TestedKey[],
  { channel, slot: { slotId } }: OpenToken,
  options: MeasureOptions,
): Promise<readonly MeasuredKind[]> {
  const kinds = new Map<string, MeasuredKind>();
  const progress = createProgress("measuring, step", process.stderr);
  for (const [number, { key, trials }] of tested.entries()) {
    if (!isKnown(key) || kinds.has(keyLabel(key.info))) continue;
    const working = trials.filter(({ outcome }) => outcome === "verified" || outcome === "made")
      .map(({ scheme }) => scheme);
    const best = defaultScheme(key.info);
    const scheme = working.includes(best) ? best : working[0];
    if (scheme === undefined) continue;
    const { request } = questionOf(scheme, key, number);
    const onStep = progress.show;
    const rates = await measureRates(channel, slotId, { request, onStep, ...options });
    kinds.set(keyLabel(key.info), { kind: keyLabel(key.info), scheme, ...rates });
  }
  progress.clear();
  return [...kinds.values()];
}

/**
 * @param uri as it was typed
 * @returns undefined where nothing was measured
 */
export function recommend(
  uri: Pkcs11Uri,
  modulePath: string,
  kinds: readonly MeasuredKind[],
): Recommendation | undefined {
  const sessions = recommendedSessions(kinds);
  if (sessions === undefined) return undefined;
  const tried = Math.max(...kinds.flatMap(({ rates }) => rates.map(({ sessions }) => sessions)));
  return {
    sessions,
    maxSessions: sessions + 1,
    uri: formatUri(withMaxSessions(uri, modulePath, sessions + 1)),
    isMost: sessions === tried,
  };
}

/** min-sessions is left out: it may be above. */
function withMaxSessions(
  { "min-sessions": _, ...uri }: Pkcs11Uri,
  modulePath: string,
  maxSessions: number,
): Pkcs11Uri {
  const isNamed = uri["module-path"] !== undefined || uri["module-name"] !== undefined;
  const module = isNamed ? {} : { "module-path": modulePath };
  return { ...uri, ...module, "max-sessions": maxSessions };
}

function isKnown(key: ReportedKey): key is KnownKey {
  return key.info !== undefined;
}

const NO_OPERATION = "nothing that a key server does is possible with it";
