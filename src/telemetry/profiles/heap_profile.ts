import process from "node:process";
import { setImmediate as nextTurn } from "node:timers/promises";
import { getHeapSnapshot } from "node:v8";

/** What is alive of one type. */
export interface HeapType {
  /** "object", "closure", "string" and so on, as heap snapshots have it. */
  readonly kind: string;
  /** The name of the class or function; empty for the other kinds. */
  readonly name: string;
  count: number;
  bytes: number;
}

/**
 * Counts what is alive by type. The snapshot that it is counted from has the contents of strings in
 * it: it stays here, and nothing of them is given. The thread stands still meanwhile.
 *
 * @throws Error where the runtime has no snapshots, or the heap is too large for one
 */
export async function heapProfile(maxHeapBytes = MAX_HEAP_BYTES): Promise<HeapType[]> {
  const { heapUsed } = process.memoryUsage();
  if (heapUsed > maxHeapBytes) {
    throw new Error(
      `the heap has ${heapUsed} bytes, and a snapshot is taken up to ${maxHeapBytes}`,
    );
  }
  const parts: string[] = [];
  for await (const part of getHeapSnapshot()) parts.push(String(part));
  await nextTurn();
  return countTypes(JSON.parse(parts.join("")));
}

/** The part of a heap snapshot that is read: V8's format, of flat arrays. */
export interface HeapSnapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly [readonly string[], ...unknown[]];
    };
  };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
}

export function countTypes({ snapshot: { meta }, nodes, strings }: HeapSnapshot): HeapType[] {
  const fields = meta.node_fields;
  const [kinds] = meta.node_types;
  const [kindAt, nameAt, sizeAt] = ["type", "name", "self_size"].map((name) =>
    fields.indexOf(name)
  );
  const types = new Map<string, HeapType>();
  for (let at = 0; at < nodes.length; at += fields.length) {
    const kind = kinds[nodes[at + kindAt!]!] ?? "unknown";
    const name = NAMED.has(kind) ? strings[nodes[at + nameAt!]!] ?? "" : "";
    const key = `${kind} ${name}`;
    let type = types.get(key);
    if (type === undefined) types.set(key, type = { kind, name, count: 0, bytes: 0 });
    type.count += 1;
    type.bytes += nodes[at + sizeAt!]!;
  }
  return [...types.values()];
}

/** Kinds whose names are the program's own; that of a string is its content. */
const NAMED: ReadonlySet<string> = new Set(["object", "closure", "native"]);
/** A snapshot takes some 40 ms for each mebibyte, and several times its memory. */
const MAX_HEAP_BYTES = 134_217_728;
