/** How long a certificate is valid: from the first second to the last, with both. */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/**
 * What is wrong with the dates of a certificate now, to follow its name; none of one that is valid.
 *
 * @param nowMs milliseconds of Unix time
 */
export function outOfDate({ notBefore, notAfter }: Validity, nowMs = Date.now()): string[] {
  if (nowMs > notAfter.getTime()) return [`has expired on ${notAfter.toISOString()}`];
  if (nowMs < notBefore.getTime()) return [`is valid from ${notBefore.toISOString()} on`];
  return [];
}

/**
 * The same of one that ends soon: in the last third of its time, or of its last month. Certificates
 * of a week are no fault.
 */
export function endsSoon({ notBefore, notAfter }: Validity, nowMs = Date.now()): string[] {
  const leftMs = notAfter.getTime() - nowMs;
  const soonMs = Math.min(MONTH_MS, (notAfter.getTime() - notBefore.getTime()) / 3);
  if (leftMs < 0 || leftMs > soonMs) return [];
  return [`ends in ${countDays(daysLeft({ notAfter }, nowMs))}, on ${notAfter.toISOString()}`];
}

/** Whole days until the end; below 0 after it. */
export function daysLeft({ notAfter }: Pick<Validity, "notAfter">, nowMs = Date.now()): number {
  return Math.floor((notAfter.getTime() - nowMs) / DAY_MS);
}

/** "1 day", "30 days". */
export function countDays(days: number): string {
  return `${days} ${days === 1 ? "day" : "days"}`;
}

const DAY_MS = 86_400_000;
const MONTH_MS = 30 * DAY_MS;
