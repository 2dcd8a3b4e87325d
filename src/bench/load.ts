import { clearInterval, setInterval } from "node:timers";
import { KeylessError } from "../errors/errors.ts";
import { endpointText } from "../client/endpoint.ts";
import { decodeOperation } from "../protocol/operation.ts";
import { clampNs } from "./histogram.ts";
import type { Link, LinkObserver, Slot } from "./link.ts";
import { LinkSet } from "./link_set.ts";
import type { Report, ThreadEnd, ThreadPlan } from "./messages.ts";
import { Pacer } from "./pacer.ts";
import { NS_A_MS, Tally } from "./tally.ts";
import { Timeline } from "./timeline.ts";

/**
 * The load of one client thread: warm-up, measured time, and the wait for the last answers. In a
 * closed loop each connection is kept full; in an open one a pacer tells when a request is due.
 */
export class Load implements LinkObserver {
  readonly #plan: ThreadPlan;
  readonly #report: (report: Report) => void;
  readonly #tally: Tally;
  readonly #timeline: Timeline;
  readonly #links: LinkSet;
  readonly #pacer: Pacer | undefined;
  readonly #keyCursors: number[];
  #orderCursor = 0;
  #untilSample: number;
  #requestsLeft: number;
  #outstanding = 0;
  /** Of each operation: due while there was no connection. */
  readonly #missed: number[];
  #drainUntilMs = Infinity;
  #startMs = 0;
  #heardMs = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isOver = false;

  constructor(plan: ThreadPlan, report: (report: Report) => void) {
    this.#plan = plan;
    this.#report = report;
    this.#tally = new Tally(plan.operations.length, plan.openLoop !== undefined);
    this.#timeline = new Timeline({
      intervalOver: (...interval) =>
        report({ kind: "interval", interval: this.#tally.take(...interval) }),
      drainBegun: (atMs) => {
        this.#pacer?.endAt(atMs);
        this.#drainUntilMs = atMs + plan.timeoutMs;
      },
    });
    this.#links = new LinkSet(plan, this, this.#tally, (error) => this.#end(endOf(error)));
    this.#pacer = plan.openLoop && new Pacer(plan.openLoop, {
      send: (dueMs, nowMs) => this.#sendDue(dueMs, nowMs),
      flush: () => this.#links.flush(),
    });
    this.#keyCursors = plan.operations.map(() => 0);
    this.#missed = plan.operations.map(() => 0);
    this.#untilSample = plan.verifyEvery;
    this.#requestsLeft = plan.requests ?? Infinity;
  }

  /** Makes all connections; "ready" follows, or "refused". */
  async connect(): Promise<void> {
    try {
      await Promise.all([this.#links.open(), this.#pacer?.prepare()]);
    } catch (thrown) {
      if (!(thrown instanceof KeylessError)) throw thrown;
      this.#links.close();
      this.#pacer?.stop();
      return this.#report({ kind: "refused", code: thrown.code, message: thrown.message });
    }
    this.#report({ kind: "ready", connects: this.#tally.takeConnects() });
  }

  go(): void {
    const { openLoop, warmupMs, durationMs = Infinity } = this.#plan;
    const nowMs = performance.now();
    const measureStartMs = nowMs + (openLoop?.rampMs ?? 0) + warmupMs;
    const measureEndMs = measureStartMs + durationMs;
    this.#startMs = this.#heardMs = nowMs;
    this.#tally.begin();
    this.#timeline.begin(nowMs, measureStartMs, measureEndMs);
    this.#timer = setInterval(() => this.#look(performance.now()), LOOK_MS);
    if (this.#pacer === undefined) this.#links.forEach((link) => this.#refill(link, nowMs));
    else this.#pacer.start(nowMs, measureEndMs);
  }

  /** Ends the run before its time; what was asked is waited for a moment. */
  stop(): void {
    const nowMs = performance.now();
    this.#timeline.advance(this.#measuredUntil(nowMs));
    if (this.#isOver || this.#isDraining) return;
    this.#timeline.drain(this.#measuredUntil(nowMs));
    this.#drainUntilMs = nowMs + Math.min(STOP_MS, this.#plan.timeoutMs);
    this.#look(nowMs);
  }

  answered(slot: Slot, nowMs: number, chunk: Uint8Array, start: number, end: number): void {
    this.#timeline.advance(nowMs);
    const { operation, key, dueMs, sentMs } = slot;
    const isMeasured = dueMs >= this.#timeline.measureStartMs;
    if (isMeasured && --this.#untilSample === 0) { // a broken answer throws before it is counted
      this.#untilSample = this.#plan.verifyEvery;
      const { payload = NOTHING } = decodeOperation(chunk.subarray(start, end));
      this.#tally.takeSample({ operation, key, payload: new Uint8Array(payload) });
    }
    this.#outstanding--;
    const counter = this.#tally.operations[operation]!;
    counter.arrived++;
    if (isMeasured) counter.countAnswer(dueMs, sentMs, nowMs);
  }

  failed(slot: Slot, wireCode: number): void {
    this.#outstanding--;
    if (slot.dueMs < this.#timeline.measureStartMs) return;
    this.#tally.operations[slot.operation]!.countError(wireCode);
  }

  hasRoom(link: Link): void {
    if (this.#pacer !== undefined) this.#links.hasRoom(link);
  }

  drained(link: Link, nowMs: number): void {
    this.#heardMs = nowMs;
    this.#timeline.advance(nowMs);
    if (this.#pacer === undefined) this.#refill(link, nowMs);
    if (this.#isDraining || this.#requestsLeft === 0) this.#endIfAnswered();
  }

  lost(link: Link, error: KeylessError, slots: readonly Slot[]): void {
    if (this.#isOver) return;
    this.#countLost(slots);
    this.#tally.countTransportError(error);
    if (this.#isDraining) {
      this.#links.drop(link);
      return this.#endIfAnswered();
    }
    this.#links.replace(link, error, (made) => {
      this.#countMissed();
      if (this.#pacer === undefined) this.#refill(made, performance.now());
    });
    this.#endIfAnswered();
  }

  /** Closed loop: as many as may be outstanding. */
  #refill(link: Link, nowMs: number): void {
    if (this.#isOver || this.#isDraining) return;
    while (link.room > 0 && this.#requestsLeft > 0) {
      const operation = this.#nextOperation();
      link.put(operation, this.#nextKey(operation), nowMs, nowMs);
      this.#countSent(operation, nowMs);
    }
    link.flush();
  }

  /** Open loop: a request is due; without room for it, it is dropped. */
  #sendDue(dueMs: number, nowMs: number): void {
    if (this.#isOver || this.#requestsLeft === 0) return;
    const isMeasured = dueMs >= this.#timeline.measureStartMs;
    const operation = this.#nextOperation();
    if (!this.#links.put(operation, this.#nextKey(operation), dueMs, nowMs)) {
      if (isMeasured) this.#countDropped(operation);
      return;
    }
    this.#countSent(operation, dueMs);
    if (!isMeasured) return;
    this.#tally.lateness.recordValue(clampNs((nowMs - dueMs) * NS_A_MS));
    if (nowMs - dueMs > LATE_MS) this.#tally.late++;
  }

  #nextOperation(): number {
    const { order } = this.#plan;
    const operation = order[this.#orderCursor]!;
    this.#orderCursor = (this.#orderCursor + 1) % order.length;
    return operation;
  }

  #nextKey(operation: number): number {
    const key = this.#keyCursors[operation]!;
    this.#keyCursors[operation] = (key + 1) % this.#plan.operations[operation]!.forms.length;
    return key;
  }

  #countSent(operation: number, dueMs: number): void {
    this.#outstanding++;
    if (dueMs < this.#timeline.measureStartMs) return;
    this.#tally.operations[operation]!.sent++;
    this.#requestsLeft--;
  }

  /** Without any connection it is not known yet whether the time counts. */
  #countDropped(operation: number): void {
    if (this.#links.goneSinceMs < Infinity) this.#missed[operation]!++;
    else this.#tally.operations[operation]!.dropped++;
  }

  /** There is a connection again: it was a gap, and not the end. */
  #countMissed(): void {
    for (const [operation, missed] of this.#missed.entries()) {
      this.#tally.operations[operation]!.dropped += missed;
    }
    this.#missed.fill(0);
  }

  /** While there is no connection the time stands still: a target that is gone is not measured. */
  #measuredUntil(nowMs: number): number {
    return Math.max(this.#startMs, Math.min(nowMs, this.#links.goneSinceMs));
  }

  #look(nowMs: number): void {
    if (this.#isOver) return;
    this.#timeline.advance(this.#measuredUntil(nowMs));
    if (nowMs >= this.#drainUntilMs) return this.#end(undefined);
    const { requests, timeoutMs } = this.#plan;
    const isSilent = nowMs - this.#heardMs > timeoutMs && this.#outstanding > 0;
    if (requests !== undefined && !this.#isDraining && isSilent) {
      const where = endpointText(this.#plan.endpoint);
      const message = `${where} has not answered for ${timeoutMs} ms, with requests outstanding`;
      return this.#end({ code: "DEADLINE", message });
    }
    this.#endIfAnswered();
  }

  /** In the drain, and where a number of requests was asked for: at the last answer. */
  #endIfAnswered(): void {
    const isAllSent = this.#isDraining ? this.#pacer?.isOver ?? true : this.#requestsLeft === 0;
    if (isAllSent && this.#outstanding === 0) this.#end(undefined);
  }

  #end(endedEarly: ThreadEnd | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#pacer?.stop();
    this.#countLost(this.#links.takenSlots());
    this.#links.close();
    this.#timeline.endInterval(this.#measuredUntil(performance.now()));
    this.#report({ kind: "done", endedEarly });
  }

  get #isDraining(): boolean {
    return this.#timeline.phase === "drain";
  }

  #countLost(slots: readonly Slot[]): void {
    this.#outstanding -= slots.length;
    for (const { operation, dueMs } of slots) {
      if (dueMs >= this.#timeline.measureStartMs) this.#tally.operations[operation]!.lost++;
    }
  }
}

/** How often it is looked whether a phase is over while nothing comes. */
const LOOK_MS = 50;
/** A request that is sent so long after its time is late. */
const LATE_MS = 1;
/** How long the last answers are waited for where the user ends a run. */
const STOP_MS = 500;
const NOTHING = new Uint8Array(0);

function endOf({ code, message }: KeylessError): ThreadEnd {
  return { code, message };
}
