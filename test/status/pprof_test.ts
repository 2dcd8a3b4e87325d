import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { encodeCpuProfiles, encodeHeapProfiles } from "../../src/status/pprof.ts";
import { statusRoutes } from "../../src/status/status_port.ts";
import { countTypes, heapProfile } from "../../src/telemetry/profiles/heap_profile.ts";
import { message } from "../support/protobuf.ts";
import { requestOf, routeOf, statusOptions } from "../support/status_fixture.ts";

/**
 * A profile as a reader sees it: stacks of names, and their values. It follows profile.proto of
 * github.com/google/pprof, and not the package that writes profiles here.
 */
function read(bytes: Uint8Array): {
  readonly types: readonly string[];
  readonly samples: readonly {
    readonly stack: readonly string[];
    readonly values: readonly number[];
    /** "key=value". */
    readonly labels: readonly string[];
  }[];
  readonly durationNanos: number;
  readonly period: number;
  readonly locations: number;
  readonly startLines: readonly number[];
} {
  const profile = message(new Uint8Array(gunzipSync(bytes)));
  const strings = profile.all(6).map((text) => new TextDecoder().decode(text));
  const functions = profile.messages(5);
  const names = new Map(functions.map((each) => [each.number(1), strings[each.number(2)]]));
  const locations = new Map(
    profile.messages(4).map((location) => {
      return [location.number(1), names.get(location.messages(4)[0]!.number(1))];
    }),
  );
  assert.equal(strings[0], "", "the string table begins with an empty string");
  return {
    types: profile.messages(1).map((type) =>
      `${strings[type.number(1)]}/${strings[type.number(2)]}`
    ),
    samples: profile.messages(2).map((sample) => ({
      stack: sample.numbers(1).map((id) => locations.get(id) ?? "unknown"),
      values: sample.numbers(2),
      labels: sample.messages(3).map((label) =>
        `${strings[label.number(1)]}=${strings[label.number(2)]}`
      ),
    })),
    durationNanos: profile.number(10),
    period: profile.number(12),
    locations: locations.size,
    startLines: functions.map((each) => each.number(5)),
  };
}

const frame = (functionName: string, url = "", lineNumber = -1) => ({
  functionName,
  url,
  lineNumber,
});

describe("a CPU profile", () => {
  const profile = {
    nodes: [
      { id: 1, callFrame: frame("(root)"), children: [2, 5] },
      { id: 2, callFrame: frame("serve", "src/server.ts", 9), children: [3, 4] },
      { id: 3, callFrame: frame("", "src/server.ts", 20) },
      { id: 4, callFrame: frame("sign") },
      { id: 5, callFrame: frame("(idle)") },
    ],
    startTime: 1_000,
    endTime: 11_000,
    samples: [3, 4, 4, 5, 3],
    timeDeltas: [10_000, 11_000, 9_000, 10_000, 500_000],
  };

  test("has each stack from the leaf up, with its samples and time", () => {
    const decoded = read(encodeCpuProfiles([{ thread: "main", profile }]));
    const { types, samples } = decoded;
    const labels = ["thread=main"];
    assert.deepEqual(types, ["samples/count", "cpu/nanoseconds"]);
    assert.deepEqual(samples, [
      { stack: ["(anonymous)", "serve"], values: [2, 30_000_000], labels }, // a gap is idle time
      { stack: ["sign", "serve"], values: [2, 20_000_000], labels },
    ]);
    assert.equal(decoded.durationNanos, 10_000_000);
    assert.equal(decoded.period, 10_000_000);
    assert.equal(decoded.locations, 3, "a function stands once");
    assert.equal(decoded.startLines[1], 10);
  });

  test("of several threads is one, in which each sample says of which it is", () => {
    const longer = { ...profile, samples: [4], timeDeltas: [10_000], endTime: 21_000 };
    const decoded = read(encodeCpuProfiles([
      { thread: "worker 1", profile },
      { thread: "worker 2", profile: longer },
    ]));
    const signing = decoded.samples.filter(({ stack }) => stack[0] === "sign");
    assert.deepEqual(signing.map(({ values, labels }) => [values[0], labels]), [
      [2, ["thread=worker 1"]],
      [1, ["thread=worker 2"]],
    ]);
    assert.equal(decoded.locations, 3, "a function stands once");
    assert.equal(decoded.durationNanos, 20_000_000, "they were taken at the same time");
  });

  test("of nothing is a profile all the same", () => {
    const empty = { nodes: [], startTime: 0, endTime: 0 };
    assert.deepEqual(read(encodeCpuProfiles([{ thread: "main", profile: empty }])).samples, []);
    assert.deepEqual(read(encodeCpuProfiles([])).samples, []);
  });

  test("of this runtime shows the function that is busy, and one is taken at a time", async () => {
    const route = routeOf(statusRoutes(statusOptions({}, { pprof: true })), "/debug/pprof/profile");
    const taking = Promise.resolve(route.reply(requestOf("seconds=1")));
    let isTaken = false;
    void taking.finally(() => isTaken = true);
    await nextTurn();
    const second = await route.reply(requestOf("seconds=1"));
    assert.equal(second.status, 409);
    while (!isTaken) {
      burnTheProcessor();
      await nextTurn();
    }
    const { status, headers, body } = await taking;
    assert.equal(status, 200, new TextDecoder().decode(body));
    assert.match(headers?.["Content-Disposition"] ?? "", /profile\.pb\.gz/);
    const { samples } = read(body);
    const busy = samples.filter(({ stack }) => stack.includes("burnTheProcessor"));
    const count = busy.reduce((sum, { values }) => sum + values[0]!, 0);
    assert.ok(count > 20, `${count} of 100 samples`);
    assert.equal((await route.reply(requestOf("seconds=0"))).status, 400, "it is free again");
  });
});

describe("a heap profile", () => {
  const meta = {
    node_fields: ["type", "name", "self_size"],
    node_types: [["string", "object"]] as const,
  };

  test("counts by type, and does not tell what strings say", () => {
    const types = countTypes({
      snapshot: { meta },
      nodes: [0, 0, 100, 1, 1, 8, 1, 1, 16, 0, 2, 1],
      strings: ["the secret", "Signer", "another"],
    });
    assert.deepEqual(types, [
      { kind: "string", name: "", count: 2, bytes: 101 },
      { kind: "object", name: "Signer", count: 2, bytes: 24 },
    ]);
    const { types: units, samples } = read(encodeHeapProfiles([
      { thread: "main", profile: types },
      { thread: "worker 1", profile: types.slice(1) },
    ]));
    assert.deepEqual(units, ["inuse_objects/count", "inuse_space/bytes"]);
    assert.deepEqual(samples, [
      { stack: ["string"], values: [2, 101], labels: ["thread=main"] },
      { stack: ["Signer", "object"], values: [2, 24], labels: ["thread=main"] },
      { stack: ["Signer", "object"], values: [2, 24], labels: ["thread=worker 1"] },
    ]);
  });

  test("is not taken of a heap that would stop the server for too long", async () => {
    await assert.rejects(heapProfile(1_000), /the heap has \d+ bytes, .* taken up to 1000$/);
  });

  test("of this runtime has the program's types, and nothing of its secrets", async () => {
    const secret = ["a passphrase", crypto.randomUUID()].join(" ");
    const kept = Array.from({ length: 1_000 }, () => new KeptByTheTest(secret));
    const types = await heapProfile();
    const own = types.find(({ kind, name }) => kind === "object" && name === "KeptByTheTest");
    assert.ok((own?.count ?? 0) >= kept.length, JSON.stringify(own));
    assert.doesNotMatch(JSON.stringify(types), /a passphrase/);
    assert.equal(kept.at(-1)?.text, secret);
  });
});

class KeptByTheTest {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

function burnTheProcessor(): void {
  const endMs = performance.now() + 5;
  while (performance.now() < endMs) createHash("sha256").update("x").digest();
}
