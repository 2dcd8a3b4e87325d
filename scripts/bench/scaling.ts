import { atMost, megabytes, microseconds, seconds, told } from "./checks.ts";
import type { BenchLoad, Check, FigureOf, Measurement } from "./types.ts";

const P256: BenchLoad = { op: "ecdsa-sha256", keys: ["p256"], connections: 16, inFlight: 4 };
const RSA: BenchLoad = { ...P256, op: "rsa-sha256", keys: ["rsa-2048"] };
/** All keys of the server in turn. */
const ALL_KEYS: BenchLoad = { op: "ecdsa-sha256", connections: 16, inFlight: 4 };
const AT_A_RATE: BenchLoad = { ...P256, inFlight: 64, rate: 2_000 };

/** What a request may cost more where there is more of something: nothing, and some noise. */
const FLAT = 1.3;

/** What grows, and what that costs. */
export const SCALING: readonly Measurement[] = [
  {
    name: "connections",
    section: "scaling",
    runs: [1, 16, 256, 2_000].map((connections) => ({
      [`P-256, ${connections.toLocaleString("en-US")} × 1`]: { ...P256, connections, inFlight: 1 },
    })),
    checks: (figure) => [
      flat(figure, "P-256, 256 × 1", "P-256, 16 × 1"),
      flat(figure, "P-256, 2,000 × 1", "P-256, 16 × 1"),
    ],
  },
  {
    name: "outstanding",
    section: "scaling",
    runs: [1, 16, 256].map((inFlight) => ({ [`P-256, 16 × ${inFlight}`]: { ...P256, inFlight } })),
    checks: (figure) => [
      flat(figure, "P-256, 16 × 16", "P-256, 16 × 1"),
      flat(figure, "P-256, 16 × 256", "P-256, 16 × 1"),
    ],
  },
  {
    name: "keys",
    section: "scaling",
    runs: [
      { "P-256, 1 key": P256 },
      { "P-256, 1,000 keys": { ...ALL_KEYS, server: { keys: "1,000" } } },
      { "P-256, 100,000 keys": { ...ALL_KEYS, server: { keys: "100,000" } } },
    ],
    checks: (figure) => {
      const many = "P-256, 100,000 keys";
      return [
        flat(figure, "P-256, 1,000 keys", "P-256, 1 key"),
        flat(figure, many, "P-256, 1 key"),
        atMost("100,000 keys: until it listens", figure(many, "startSeconds"), 20, seconds),
        atMost("100,000 keys: memory", figure(many, "memoryMegabytes"), 400, megabytes),
        told("100,000 keys: memory at its peak", figure(many, "peakMegabytes"), megabytes),
        atMost("100,000 keys: a lookup", figure(many, "lookupMicroseconds"), 1, microseconds),
      ];
    },
  },
  {
    name: "workers",
    section: "scaling",
    runs: [1, 2].flatMap((workers) => [
      { [`P-256, --workers ${workers}`]: { ...P256, server: { workers } } },
      { [`RSA-2048, --workers ${workers}`]: { ...RSA, server: { workers } } },
    ]),
    checks: (figure) => [
      flat(figure, "P-256, --workers 2", "P-256, --workers 1"),
      flat(figure, "RSA-2048, --workers 2", "RSA-2048, --workers 1"),
    ],
  },
  {
    name: "idle-connections",
    section: "scaling",
    runs: [
      { "P-256, no idle connections": P256 },
      { "P-256, 2,000 idle connections": { ...P256, server: { idleConnections: 2_000 } } },
      { "P-256, 2,000/s, no idle connections": AT_A_RATE },
      {
        "P-256, 2,000/s, 2,000 idle connections": {
          ...AT_A_RATE,
          server: { idleConnections: 2_000 },
        },
      },
    ],
    checks: (figure) => [
      atMost(
        "2,000 idle connections: memory that they take",
        figure("P-256, 2,000 idle connections", "memoryMegabytes") -
          figure("P-256, no idle connections", "memoryMegabytes"),
        100,
        megabytes,
      ),
      flat(figure, "P-256, 2,000 idle connections", "P-256, no idle connections"),
      atMost(
        "P-256, 2,000/s, 2,000 idle connections: p99 ÷ p99 without",
        figure("P-256, 2,000/s, 2,000 idle connections", "p99Ms") /
          figure("P-256, 2,000/s, no idle connections", "p99Ms"),
        1.5,
      ),
    ],
  },
];

function flat(figure: FigureOf, load: string, base: string): Check {
  const times = figure(load, "cpuMicroseconds") / figure(base, "cpuMicroseconds");
  return atMost(`${load}: CPU each ÷ that of ${base}`, times, FLAT);
}
