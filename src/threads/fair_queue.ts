import { Ring } from "./ring.ts";

/** What waits, and for whom. */
export interface Waiting {
  /** Who asks: an object for each connection, the same for all of its requests. */
  readonly connection: object;
  /** The key that is asked for, told apart by identity. */
  readonly key: unknown;
  /** How long it will take. */
  readonly costMs: number;
  /** How much of a turn's bytes it takes. */
  readonly roomBytes: number;
}

/** What may go in one turn; one entry may in any case. */
export interface TurnLimits {
  readonly entries: number;
  readonly bytes: number;
}

/**
 * A queue that is fair between connections and between keys. How much it may hold is its owner's
 * business.
 *
 * Entries of one connection for one key are a line: first come, first served. Every second turn goes
 * by connections (round robin over them, and over the lines of each), the others by keys. Each has
 * `SHARE_MS` of work, or one entry that takes longer, before the next: a connection that asks for
 * many keys, a little each, has as much as one that asks for much of one key. So who has one entry
 * waits for at most twice as many shares as there are connections, and for at most twice as many as
 * there are keys, whichever is less: neither a connection with a thousand requests nor a key that all
 * connections ask for crowds out the rest. These are turns of this queue; those of several event
 * loops alternate (`TurnTaker`).
 *
 * A turn is one entry, or as many of a line as take `SHARE_MS` together: their replies leave together,
 * and sending each alone would cost a good part of a signature.
 *
 * Whatever it holds, a push or a turn costs the same.
 */
export class FairQueue<Entry extends Waiting> {
  readonly #limits: TurnLimits;
  /** Lines by connection and key, and by key and connection: each line is in both. */
  readonly #connections: Parties<object, unknown, Line<Entry>> = new Ring();
  readonly #keys: Parties<unknown, object, Line<Entry>> = new Ring();
  #length = 0;
  #isTurnOfKeys = false;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#length;
  }

  push(entry: Entry): void {
    this.#lineOf(entry).push(entry);
    this.#length += 1;
  }

  /** Puts an entry that was taken back, first in its line. */
  putBack(entry: Entry): void {
    this.#lineOf(entry).unshift(entry);
    this.#length += 1;
  }

  /** Takes the entries whose turn it is, all of one connection and key; none where nothing waits. */
  take(): readonly Entry[] {
    const line = (this.#isTurnOfKeys ? this.#keys : this.#connections).first?.lines.first;
    if (line === undefined) return [];
    this.#isTurnOfKeys = !this.#isTurnOfKeys;
    const { connection, key } = line.first!;
    const entries = this.#takeTurn(line);
    const tookMs = entries.reduce((sum, { costMs }) => sum + costMs, 0);
    spend(this.#connections, connection, key, tookMs);
    spend(this.#keys, key, connection, tookMs);
    this.#length -= entries.length;
    if (line.length === 0) this.#forget(connection, key);
    return entries;
  }

  /** Takes the entries for which `isWanted` is false. Looks at every entry. */
  sweep(isWanted: (entry: Entry) => boolean): readonly Entry[] {
    const swept: Entry[] = [];
    this.#eachLine((line) => {
      const { connection, key } = line.first!;
      line.sweep(isWanted, swept);
      if (line.length === 0) this.#forget(connection, key);
    });
    this.#length -= swept.length;
    return swept;
  }

  /** Visits the first entry of every line. */
  eachFirst(visit: (entry: Entry) => void): void {
    this.#eachLine((line) => visit(line.first!));
  }

  #eachLine(visit: (line: Line<Entry>) => void): void {
    this.#connections.forEach(({ lines }) => lines.forEach(visit));
  }

  #takeTurn(line: Line<Entry>): readonly Entry[] {
    const entries = [line.shift()];
    let { costMs, roomBytes } = entries[0]!;
    while (costMs < SHARE_MS && entries.length < this.#limits.entries && line.length > 0) {
      roomBytes += line.first!.roomBytes;
      if (roomBytes > this.#limits.bytes) break;
      const entry = line.shift();
      entries.push(entry);
      costMs += entry.costMs;
    }
    return entries;
  }

  #lineOf({ connection, key }: Entry): Line<Entry> {
    const known = this.#connections.get(connection)?.lines.get(key);
    if (known !== undefined) return known;
    const line = new Line<Entry>();
    addLine(this.#connections, connection, key, line);
    addLine(this.#keys, key, connection, line);
    return line;
  }

  #forget(connection: object, key: unknown): void {
    removeLine(this.#connections, connection, key);
    removeLine(this.#keys, key, connection);
  }
}

/** A connection, or a key. */
interface Party<Other, Value> {
  /** Its lines, by what they have besides: keys, or connections. */
  readonly lines: Ring<Other, Value>;
  /** What it has had of its share. */
  spentMs: number;
}

type Parties<Id, Other, Value> = Ring<Id, Party<Other, Value>>;

function addLine<Id, Other, Value>(
  parties: Parties<Id, Other, Value>,
  id: Id,
  other: Other,
  line: Value,
): void {
  let party = parties.get(id);
  if (party === undefined) parties.add(id, party = { lines: new Ring(), spentMs: 0 });
  party.lines.add(other, line);
}

function removeLine<Id, Other, Value>(
  parties: Parties<Id, Other, Value>,
  id: Id,
  other: Other,
): void {
  const { lines } = parties.get(id)!;
  lines.delete(other);
  if (lines.size === 0) parties.delete(id);
}

/** A line has had its turn, and so has its connection or key, which may have had its share by it. */
function spend<Id, Other, Value>(
  parties: Parties<Id, Other, Value>,
  id: Id,
  other: Other,
  tookMs: number,
): void {
  const party = parties.get(id)!;
  party.lines.moveLast(other);
  party.spentMs += tookMs;
  if (party.spentMs < SHARE_MS) return;
  party.spentMs = 0;
  parties.moveLast(id);
}

/**
 * What waits of one connection for one key: first come, first served. `shift` of a long array would
 * move all the others.
 */
class Line<Entry> {
  #entries: Entry[] = [];
  #start = 0;

  get length(): number {
    return this.#entries.length - this.#start;
  }

  get first(): Entry | undefined {
    return this.#entries[this.#start];
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  unshift(entry: Entry): void {
    this.#entries = [entry, ...this.#entries.slice(this.#start)];
    this.#start = 0;
  }

  /** There must be one. */
  shift(): Entry {
    const entry = this.#entries[this.#start++]!;
    if (this.#start >= COMPACT_AT && this.#start * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
    return entry;
  }

  /** Moves the entries for which `isWanted` is false. */
  sweep(isWanted: (entry: Entry) => boolean, swept: Entry[]): void {
    let end = this.#start;
    for (let at = this.#start; at < this.#entries.length; at++) {
      const entry = this.#entries[at]!;
      if (isWanted(entry)) this.#entries[end++] = entry;
      else swept.push(entry);
    }
    this.#entries.length = end;
  }
}

const SHARE_MS = 1;
const COMPACT_AT = 32;
