/** What goes in comes out, once, whatever clients do in between. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import type { RequestContext, Signer } from "../../src/keystore/keystore.ts";
import { encodePacket } from "../../src/protocol/packet.ts";
import { cutConnection } from "../../src/runtime/socket.ts";
import type { RequestSpan, Tracer } from "../../src/telemetry/tracing/tracer.ts";
import { type Sample, sampleValue, scrape } from "../support/metrics.ts";
import { RawClient } from "../support/raw_client.ts";
import { startTestServer, TestPki } from "../support/test_server.ts";

const RUNS = "Deno" in globalThis ? 10 : 20;
const DIGEST = new Uint8Array(32);
const AT_ONCE = 1;
const LATE = 2;
const WHEN_LEFT = 3;

/** What a client sends: one request each. */
const REQUESTS = {
  ping: encodePacket(1, { opcode: 0xf1, payload: new Uint8Array(2_000) }),
  signed: sign(AT_ONCE),
  late: sign(LATE),
  never: sign(WHEN_LEFT),
  unknownKey: encodePacket(1, { opcode: 0x15, payload: DIGEST }),
  unknownOpcode: encodePacket(1, { opcode: 0x77 }),
  version: Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 1),
  malformed: Uint8Array.of(1, 0, 0, 1, 0, 0, 0, 2, 0xff),
};

const ENDS: Readonly<Record<string, (client: RawClient) => void>> = {
  closes: ({ socket }) => void socket.end(),
  leaves: ({ socket }) => void socket.destroy(),
  resets: ({ socket }) => cutConnection(socket),
  "leaves in the middle of a request": ({ socket }) => void socket.end(Uint8Array.of(1, 0, 0)),
};

const scripts = fc.array(
  fc.record({
    sent: fc.array(fc.constantFrom(...Object.values(REQUESTS)), { maxLength: 12 }),
    pauseMs: fc.integer({ min: 0, max: 8 }),
    end: fc.constantFrom(...Object.values(ENDS)),
  }),
  { minLength: 1, maxLength: 5 },
);

let pki: TestPki;
before(async () => {
  pki = await TestPki.create();
});

test(
  "every request is counted once in all places, every span ended once, whenever a client leaves",
  {
    timeout: 60_000,
  },
  async () => {
    await fc.assert(
      fc.asyncProperty(scripts, async (clients) => {
        const tracer = new CountingTracer();
        const started = await startTestServer(pki, {
          keystore: { find: findKey },
          tracer,
          limits: { maxInFlight: 3, lingerMs: 20, maxUnflushedBytes: 4_096 },
        });
        await Promise.all(clients.map(async ({ sent, pauseMs, end }) => {
          const client = await RawClient.open({ ...pki.client, port: started.port });
          client.socket.write(new Uint8Array(sent.flatMap((bytes) => [...bytes])));
          await delay(pauseMs);
          end(client);
          await delay(20);
          client.socket.destroy();
        }));
        await started.server.drain(0);
        while (started.server.connections > 0) await delay(2);
        await delay(2 * LATE_MS); // what was under way has answered
        const samples = await scrape(started.snapshot());
        const received = sumOf(samples, "keyless_requests");
        const executed = sumOf(samples, "keyless_request_exec_duration_per_opcode_count");
        assert.equal(executed, received);
        assert.ok(sumOf(samples, "keyless_request_total_duration_per_opcode_count") <= executed);
        for (const gauge of ["requests_in_flight", "requests_waiting", "unsent_bytes"]) {
          assert.equal(sampleValue(samples, `keyless_${gauge}`), 0, gauge);
        }
        assert.equal(sumOf(samples, "keyless_connections"), 0);
        assert.ok(tracer.ends.every(({ answered, ended }) => answered === 1 && ended === 1));
        const undecoded = sampleValue(samples, "keyless_requests", { opcode: "unknown" });
        assert.ok(tracer.ends.length <= received && tracer.ends.length >= received - undecoded);
      }),
      { numRuns: RUNS },
    );
  },
);

const LATE_MS = 3;

function sign(kind: number): Uint8Array {
  const ski = new Uint8Array(20).fill(kind);
  return encodePacket(1, { opcode: 0x15, ski, payload: DIGEST });
}

function findKey({ ski }: { readonly ski?: Uint8Array | undefined }): Signer | undefined {
  const kind = ski?.[0];
  if (kind === undefined) return undefined;
  const answer = (_scheme: unknown, bytes: Uint8Array, { signal }: RequestContext) =>
    kind === AT_ONCE
      ? bytes
      : kind === LATE
      ? delay(LATE_MS, bytes)
      : new Promise<Uint8Array>((_resolve, reject) => {
        const leave = () => reject(new Error("the client has left"));
        if (signal.aborted) leave();
        else signal.addEventListener("abort", leave, { once: true });
      });
  return { sign: answer } as unknown as Signer;
}

function sumOf(samples: readonly Sample[], name: string): number {
  return samples.filter((each) => each.name === name).reduce((sum, { value }) => sum + value, 0);
}

/** Traces everything, and counts what each span is told. */
class CountingTracer implements Tracer {
  readonly ends: { answered: number; ended: number }[] = [];

  start(): RequestSpan {
    const counts = { answered: 0, ended: 0 };
    this.ends.push(counts);
    return {
      carrier: new Uint8Array(0),
      answered: () => void (counts.answered += 1),
      end: () => void (counts.ended += 1),
    };
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}
