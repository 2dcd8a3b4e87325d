import type { Scheme } from "../../src/crypto/scheme.ts";
import { messageOf } from "../../src/errors/errors.ts";
import type { SessionRequest } from "../../src/hsm/batch.ts";
import type { ModuleChannel } from "../../src/hsm/module_channel.ts";
import { SessionCalls } from "./session_calls.ts";

/** How many operations in a second so many sessions do. */
export interface Rate {
  readonly sessions: number;
  readonly perSecond: number;
}

export interface RatesOptions {
  readonly request: SessionRequest;
  /** Each step doubles the sessions, up to so many. */
  readonly maxSessions: number;
  /** Of each step. */
  readonly durationMs: number;
  /** Called before each step. */
  readonly onStep?: (step: number, steps: number) => void;
}

/** The rates of one operation, with more and more sessions. */
export interface Rates {
  readonly rates: readonly Rate[];
  /** Why there are not more, where the token or the module refused. */
  readonly stopped: string | undefined;
}

/** Every session is kept busy all the time. Ends the sessions. */
export async function measureRates(
  channel: ModuleChannel,
  slotId: number,
  { request, maxSessions, durationMs, onStep }: RatesOptions,
): Promise<Rates> {
  const steps = stepsUpTo(maxSessions);
  const open: SessionCalls[] = [];
  const rates: Rate[] = [];
  let stopped: string | undefined;
  try {
    for (const [index, sessions] of steps.entries()) {
      onStep?.(index, steps.length);
      while (open.length < sessions) {
        open.push(new SessionCalls(await channel.openSession(slotId)));
      }
      rates.push({ sessions, perSecond: await measure(open, request, durationMs) });
    }
  } catch (thrown) {
    stopped = `with ${open.length} sessions open: ${messageOf(thrown)}`;
  }
  await Promise.all(open.map((calls) => calls.close()));
  return { rates, stopped };
}

/** What is measured for a kind of key. */
export interface MeasuredKind extends Rates {
  /** "EC P-256". */
  readonly kind: string;
  readonly scheme: Scheme;
}

/**
 * The least sessions that come within a tenth of the best rate, of the kind that gains most by more.
 *
 * @returns undefined where nothing was measured
 */
export function recommendedSessions(kinds: readonly Rates[]): number | undefined {
  const enough = kinds.flatMap(({ rates }) => {
    const best = Math.max(...rates.map(({ perSecond }) => perSecond));
    return rates.find(({ perSecond }) => perSecond >= ENOUGH * best)?.sessions ?? [];
  });
  return enough.length === 0 ? undefined : Math.max(...enough);
}

/** 1, 2, 4 … and the most. */
export function stepsUpTo(most: number): readonly number[] {
  const steps: number[] = [];
  for (let step = 1; step < most; step *= 2) steps.push(step);
  return [...steps, most];
}

/** @throws KeylessError where an operation fails */
async function measure(
  sessions: readonly SessionCalls[],
  request: SessionRequest,
  durationMs: number,
): Promise<number> {
  const startMs = performance.now();
  const endMs = startMs + durationMs;
  let made = 0;
  const lane = async (calls: SessionCalls) => {
    while (performance.now() < endMs) {
      const { outcome, bytes } = await calls.perform(request);
      if (outcome !== "made") throw new Error(new TextDecoder().decode(bytes));
      made++;
    }
  };
  const lanes = sessions.flatMap((calls) => Array.from({ length: OUTSTANDING }, () => lane(calls)));
  await Promise.all(lanes);
  return made / (performance.now() - startMs) * 1_000;
}

/** Of a session: its thread has the next one at hand when it is done with one. */
const OUTSTANDING = 4;

const ENOUGH = 0.9;
