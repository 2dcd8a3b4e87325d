/** What waits, and for whom. */
export interface Waiting {
  /** Who asks: an object for each connection, the same for all of its requests. */
  readonly connection: object;
  /** The key that is asked for, told apart by identity. */
  readonly key: unknown;
  /** How long it will take. */
  readonly costMs: number;
}

/**
 * A bounded queue that is fair between connections and between keys.
 *
 * Entries of one connection for one key are a line: first come, first served. Every second turn goes
 * by connections (round robin over them, and over the lines of each), the others by keys. So who has
 * one entry waits for at most twice as many turns as there are connections, and for at most twice as
 * many as there are keys, whichever is less: neither a connection with a thousand requests nor a key
 * that all connections ask for crowds out the rest.
 *
 * A turn is one entry, or as many of a line as take `TURN_MS` together: their replies leave together,
 * and sending each alone would cost a good part of a signature.
 *
 * A connection may hold as many entries as the queue has room left: one that floods it gets half,
 * and there is always room for a newcomer.
 */
export class FairQueue<Entry extends Waiting> {
  readonly capacity: number;
  readonly #connections = new Map<object, Group<Entry>>();
  readonly #keys = new Map<unknown, Group<Entry>>();
  #length = 0;
  #isTurnOfKeys = false;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get length(): number {
    return this.#length;
  }

  /** @returns false where there is no room; the queue is unchanged then */
  push(entry: Entry): boolean {
    const held = this.#connections.get(entry.connection)?.length ?? 0;
    if (held >= this.capacity - this.#length) return false;
    this.#lineOf(entry).entries.push(entry);
    this.#count(entry.connection, 1);
    return true;
  }

  /** Puts an entry that was taken back, first in its line. There is always room for it. */
  putBack(entry: Entry): void {
    this.#lineOf(entry).entries.unshift(entry);
    this.#count(entry.connection, 1);
  }

  /** Takes the entries whose turn it is; none where nothing waits. */
  take(): readonly Entry[] {
    if (this.#length === 0) return [];
    const line = this.#isTurnOfKeys ? nextLine(this.#keys) : nextLine(this.#connections);
    this.#isTurnOfKeys = !this.#isTurnOfKeys;
    moveLast(this.#connections, line.connection, line);
    moveLast(this.#keys, line.key, line);
    const entries: Entry[] = [];
    for (let costMs = 0; costMs < TURN_MS && line.entries.length > 0;) {
      const entry = line.entries.shift()!;
      entries.push(entry);
      costMs += entry.costMs;
    }
    this.#taken(line, entries.length);
    return entries;
  }

  /** Takes the entries for which `isWanted` is false. Looks at every entry. */
  sweep(isWanted: (entry: Entry) => boolean): readonly Entry[] {
    const swept: Entry[] = [];
    for (const line of this.#lines()) {
      const all = line.entries.all();
      const kept = all.filter(isWanted);
      if (kept.length === all.length) continue;
      line.entries = new Line(kept);
      this.#taken(line, all.length - kept.length);
      const left = new Set(kept);
      swept.push(...all.filter((entry) => !left.has(entry)));
    }
    return swept;
  }

  /** Every entry, in no order. */
  entries(): readonly Entry[] {
    return this.#lines().flatMap((line) => line.entries.all());
  }

  #lines(): readonly KeyLine<Entry>[] {
    return [...this.#connections.values()].flatMap(({ lines }) => [...lines]);
  }

  #lineOf({ connection, key }: Entry): KeyLine<Entry> {
    const ofConnection = groupOf(this.#connections, connection);
    const known = ofConnection.byKey.get(key);
    if (known !== undefined) return known;
    const line = { key, connection, entries: new Line<Entry>([]) };
    ofConnection.byKey.set(key, line);
    ofConnection.lines.add(line);
    groupOf(this.#keys, key).lines.add(line);
    return line;
  }

  #count(connection: object, change: number): void {
    this.#length += change;
    this.#connections.get(connection)!.length += change;
  }

  /** Counts what has left a line, and forgets what is empty now. */
  #taken(line: KeyLine<Entry>, count: number): void {
    const { connection, key } = line;
    this.#count(connection, -count);
    if (line.entries.length > 0) return;
    const ofConnection = this.#connections.get(connection)!;
    ofConnection.lines.delete(line);
    ofConnection.byKey.delete(key);
    if (ofConnection.lines.size === 0) this.#connections.delete(connection);
    const ofKey = this.#keys.get(key)!;
    ofKey.lines.delete(line);
    if (ofKey.lines.size === 0) this.#keys.delete(key);
  }
}

/** What waits of one connection for one key. It is in the group of either. */
interface KeyLine<Entry> {
  readonly connection: object;
  readonly key: unknown;
  entries: Line<Entry>;
}

/** The lines of a connection, or of a key; the first is the next to be served. */
interface Group<Entry> {
  readonly lines: Set<KeyLine<Entry>>;
  /** Of a connection alone. */
  readonly byKey: Map<unknown, KeyLine<Entry>>;
  /** Entries in all lines; of a connection alone. */
  length: number;
}

/** First come, first served; `shift` of a long array would move all the others. */
class Line<Entry> {
  #entries: Entry[];
  #start = 0;

  constructor(entries: Entry[]) {
    this.#entries = entries;
  }

  get length(): number {
    return this.#entries.length - this.#start;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  unshift(entry: Entry): void {
    this.#entries = [entry, ...this.all()];
    this.#start = 0;
  }

  shift(): Entry | undefined {
    const entry = this.#entries[this.#start++];
    if (this.#start >= COMPACT_AT && this.#start * 2 >= this.#entries.length) {
      this.#entries = this.all();
      this.#start = 0;
    }
    return entry;
  }

  all(): Entry[] {
    return this.#entries.slice(this.#start);
  }
}

const TURN_MS = 1;
const COMPACT_AT = 32;

function groupOf<Id, Entry>(groups: Map<Id, Group<Entry>>, id: Id): Group<Entry> {
  let group = groups.get(id);
  if (group === undefined) {
    group = { lines: new Set(), byKey: new Map(), length: 0 };
    groups.set(id, group);
  }
  return group;
}

/** The first line of the first group; there is one. */
function nextLine<Entry>(groups: ReadonlyMap<unknown, Group<Entry>>): KeyLine<Entry> {
  const [group] = groups.values();
  const [line] = group!.lines;
  return line!;
}

/** A line has had its turn, and so has its group. */
function moveLast<Id, Entry>(groups: Map<Id, Group<Entry>>, id: Id, line: KeyLine<Entry>): void {
  const group = groups.get(id)!;
  groups.delete(id);
  groups.set(id, group);
  group.lines.delete(line);
  group.lines.add(line);
}
