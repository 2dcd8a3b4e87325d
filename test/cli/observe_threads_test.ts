/** What is shown of a server of several threads: its metrics are one, its profiles too. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { Worker } from "node:worker_threads";
import { joinedMetrics } from "../../cli/joined_metrics.ts";
import type { Observed, ObservedServer } from "../../cli/observe.ts";
import { statusPortOptions } from "../../cli/status_source.ts";
import { Authority } from "../../src/pki/authority.ts";
import { parseCertificate } from "../../src/pki/certificates.ts";
import { statusRoutes } from "../../src/status/status_port.ts";
import { MainMetrics } from "../../src/telemetry/main_metrics.ts";
import type { WorkerSnapshots } from "../../src/telemetry/metrics/retired_counters.ts";
import { Asker } from "../../src/threads/questions.ts";
import { type Sample, sampleValue, scrape } from "../support/metrics.ts";
import { message } from "../support/protobuf.ts";
import { requestOf, routeOf, STATE } from "../support/status_fixture.ts";
import type { ObservedThreadAnswers } from "./observed_thread.ts";

const PING = { opcode: "OpPing" };
const NO_PROFILES = {
  cpuProfiles: () => Promise.resolve([]),
  heapProfiles: () => Promise.resolve([]),
};

/** Workers as a server has them. */
class TestGroup implements ObservedServer {
  readonly addresses = ["127.0.0.1:2407"];
  readonly isDraining = false;
  readonly restarts = 0;
  readonly members = new Map<number, { worker: Worker; asker: Asker<ObservedThreadAnswers> }>();
  #nextId = 0;

  start(): Asker<ObservedThreadAnswers> {
    const worker = new Worker(new URL("./observed_thread.ts", import.meta.url));
    const asker = new Asker<ObservedThreadAnswers>(worker);
    this.members.set(this.#nextId++, { worker, asker });
    return asker;
  }

  async kill(id: number): Promise<void> {
    const { worker } = this.members.get(id)!;
    this.members.delete(id);
    await worker.terminate();
  }

  get workers(): number {
    return this.members.size;
  }

  gauges = () => Promise.resolve(STATE.perWorker);

  snapshots = async (): Promise<WorkerSnapshots> =>
    new Map(
      await Promise.all(
        [...this.members].map(async ([id, { asker }]) =>
          [id, await asker.ask("metrics", undefined)] as const
        ),
      ),
    );

  cpuProfiles = (durationMs: number) => this.#ofAll((asker) => asker.ask("cpuProfile", durationMs));

  heapProfiles = () => this.#ofAll((asker) => asker.ask("heapProfile", undefined));

  #ofAll<Profile>(ask: (asker: Asker<ObservedThreadAnswers>) => Promise<Profile>) {
    return Promise.all([...this.members].map(async ([id, { asker }]) => {
      return { thread: `worker ${id + 1}`, profile: await ask(asker) };
    }));
  }
}

let observed: Observed;
before(async () => {
  const authority = await Authority.create("an authority");
  const der = atob(authority.certificatePem.replaceAll(/-----[^-]+-----|\s/g, ""));
  const certificate = parseCertificate(Uint8Array.from(der, (each) => each.charCodeAt(0)));
  observed = {
    settings: {
      private_key_stores: [],
      metrics_prefix: "keyless",
      enable_pprof: true,
      enable_heap_profile: true,
    },
    prepared: { chain: [certificate] },
    metrics: new MainMetrics(),
    stores: STATE.stores,
    log: { list: () => [] },
    stop: () => {},
  } as unknown as Observed;
});

describe("metrics of several threads", () => {
  const group = new TestGroup();
  after(async () => {
    for (const id of [...group.members.keys()]) await group.kill(id);
  });

  test(
    "are one, and what a worker has counted stays when it dies",
    { timeout: 20_000 },
    async () => {
      const metrics = new MainMetrics();
      metrics.watchThreads(() => ({ workers: group.workers, deaths: { worker: 0, signing: 0 } }));
      const joined = joinedMetrics({ server: group, metrics });
      const read = async (): Promise<Sample[]> => await scrape(await joined());
      await Promise.all([group.start().ask("work", 10), group.start().ask("work", 5)]);
      const both = await read();
      assert.equal(sampleValue(both, "keyless_requests", PING), 15);
      assert.equal(sampleValue(both, "keyless_connections", { state: "established" }), 2);
      assert.equal(sampleValue(both, "keyless_connections_limit"), 1_000);
      assert.equal(sampleValue(both, "keyless_workers"), 2);
      assert.ok(sampleValue(both, "nodejs_heap_size_used_bytes") > 3e5);
      await group.kill(0);
      const one = await read();
      assert.equal(sampleValue(one, "keyless_requests", PING), 15);
      assert.equal(sampleValue(one, "keyless_connections", { state: "established" }), 1);
      assert.equal(sampleValue(one, "keyless_workers"), 1);
      await group.start().ask("work", 100);
      assert.equal(sampleValue(await read(), "keyless_requests", PING), 115);
    },
  );

  test("are asked for once by all who ask at the same time", async () => {
    let asked = 0;
    const server = {
      ...NO_PROFILES,
      snapshots: () => {
        asked += 1;
        return Promise.resolve(new Map());
      },
    } as unknown as ObservedServer;
    const joined = joinedMetrics({ server, metrics: new MainMetrics() });
    await Promise.all(Array.from({ length: 10 }, joined));
    assert.equal(asked, 1);
    await joined();
    assert.equal(asked, 2);
  });
});

describe("profiles of several threads", () => {
  const group = new TestGroup();
  after(async () => {
    for (const id of [...group.members.keys()]) await group.kill(id);
  });

  /** The names on the stacks of each thread. */
  async function profileOf(
    path: string,
    server: ObservedServer,
  ): Promise<Map<string, Set<string>>> {
    const options = statusPortOptions({ ...observed, server }, () => Promise.resolve([]));
    const route = routeOf(statusRoutes(options), `/debug/pprof/${path}`);
    const { status, body } = await route.reply(requestOf("seconds=1"));
    assert.equal(status, 200, new TextDecoder().decode(body));
    const profile = message(new Uint8Array(gunzipSync(body)));
    const strings = profile.all(6).map((text) => new TextDecoder().decode(text));
    const names = profile.messages(5).map((each) => strings[each.number(2)]!);
    const found = new Map<string, Set<string>>();
    for (const sample of profile.messages(2)) {
      const thread = strings[sample.messages(3)[0]!.number(2)]!;
      const known = found.get(thread) ?? new Set();
      for (const id of sample.numbers(1)) known.add(names[id - 1]!);
      found.set(thread, known);
    }
    return found;
  }

  test("of the processor show what each worker does", { timeout: 20_000 }, async () => {
    for (let i = 0; i < 2; i++) await group.start().ask("work", 1);
    const found = await profileOf("profile", group);
    for (const thread of ["worker 1", "worker 2"]) {
      assert.ok(found.get(thread)?.has("burnInTheThread"), `${thread} of ${[...found.keys()]}`);
    }
    assert.equal(found.get("main")?.has("burnInTheThread") ?? false, false);
  });

  test("of the heap show what each worker holds", { timeout: 20_000 }, async () => {
    const found = await profileOf("heap", group);
    assert.deepEqual([...found.keys()], ["main", "worker 1", "worker 2"]);
    for (const thread of ["worker 1", "worker 2"]) {
      assert.ok(found.get(thread)!.has("KeptByTheThread"), thread);
    }
  });

  test(
    "are those of the main thread alone where no worker can tell",
    { timeout: 20_000 },
    async () => {
      const silent = { ...NO_PROFILES, cpuProfiles: () => Promise.reject(new Error("gone")) };
      const server = silent as unknown as ObservedServer;
      const { source } = statusPortOptions({ ...observed, server }, () => Promise.resolve([]));
      const profiles = await source.cpuProfiles(20);
      assert.deepEqual(profiles.map(({ thread }) => thread), ["main"]);
    },
  );
});
