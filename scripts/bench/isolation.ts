import { atLeast, atMost } from "./checks.ts";
import type { BenchLoad, Check, FigureOf, Measurement } from "./types.ts";

const P256_RATE = 2_000;
const OTHERS_RATE = 200;

/** A modest rate of fast signatures. */
const P256: BenchLoad = {
  op: "ecdsa-sha256",
  keys: ["p256"],
  connections: 16,
  inFlight: 64,
  rate: P256_RATE,
};
/** As much as goes. */
const P256_FULL: BenchLoad = { op: "ecdsa-sha256", keys: ["p256"], connections: 16, inFlight: 4 };
const RSA_2048: BenchLoad = { op: "rsa-sha256", keys: ["rsa-2048"], connections: 16, inFlight: 4 };
const RSA_4096: BenchLoad = { ...RSA_2048, keys: ["rsa-4096"] };
/** One key, from everywhere. */
const FLOOD: BenchLoad = { ...RSA_2048, inFlight: 64 };
const OTHER_KEYS = ["rsa-2048-b", "rsa-2048-c", "rsa-2048-d", "rsa-2048-e"];
const OTHERS: BenchLoad = {
  ...RSA_2048,
  keys: OTHER_KEYS,
  inFlight: 64,
  rate: OTHERS_RATE,
};

/** What is fast or modest beside what is slow or greedy. */
export const ISOLATION: readonly Measurement[] = [
  {
    name: "beside-rsa",
    section: "isolation",
    runs: [
      { "P-256, 2,000/s": P256 },
      { "P-256, 2,000/s, beside RSA-2048": P256, "RSA-2048 beside it": RSA_2048 },
      { "P-256, 2,000/s, beside RSA-4096": P256, "RSA-4096 beside it": RSA_4096 },
    ],
    checks: (figure) => [
      p99(figure, "P-256, 2,000/s, beside RSA-2048", "P-256, 2,000/s"),
      p99(figure, "P-256, 2,000/s, beside RSA-4096", "P-256, 2,000/s"),
    ],
  },
  {
    name: "same-connection",
    section: "isolation",
    runs: [
      { "P-256, 2,000/s, 1 connection": { ...P256, connections: 1 } },
      { "P-256 among RSA-2048 (1:3), 1 × 64": mixed("ecdsa-sha256:1,rsa-sha256:3", "rsa-2048") },
      { "P-256 among RSA-4096 (4:1), 1 × 64": mixed("ecdsa-sha256:4,rsa-sha256:1", "rsa-4096") },
    ],
    checks: (figure) => [
      p99(figure, "P-256 among RSA-2048 (1:3), 1 × 64", "P-256, 2,000/s, 1 connection"),
      p99(figure, "P-256 among RSA-4096 (4:1), 1 × 64", "P-256, 2,000/s, 1 connection"),
    ],
  },
  {
    name: "both-saturate",
    section: "isolation",
    runs: [
      { "P-256 alone": P256_FULL },
      { "RSA-2048 alone": RSA_2048 },
      { "P-256 beside RSA-2048": P256_FULL, "RSA-2048 beside P-256": RSA_2048 },
    ],
    checks: (figure) => [
      share(figure, "P-256 beside RSA-2048", "P-256 alone", 0.5),
      share(figure, "RSA-2048 beside P-256", "RSA-2048 alone", 0.25),
    ],
  },
  {
    name: "flooded-key",
    section: "isolation",
    runs: [
      { "RSA-2048, 4 keys, 200/s": OTHERS },
      {
        "RSA-2048, 4 keys, 200/s, beside a flooded one": OTHERS,
        "the flooded one, beside 200/s": FLOOD,
      },
      {
        "RSA-2048, 4 keys, beside a flooded one": { ...RSA_2048, keys: OTHER_KEYS },
        "the flooded one, beside the 4": FLOOD,
      },
      { "P-384, 200/s": { ...OTHERS, op: "ecdsa-sha384", keys: ["p384"] } },
      {
        "P-384 among a flooded RSA-2048 key (1:24), 16 × 64": {
          op: "rsa-sha256:24,ecdsa-sha384:1",
          watched: "ecdsa-sha384",
          keys: ["rsa-2048", "p384"],
          connections: 16,
          inFlight: 64,
        },
      },
    ],
    checks: (figure) => [
      atLeast(
        "RSA-2048, 4 keys, 200/s, beside a flooded one: share of the rate",
        figure("RSA-2048, 4 keys, 200/s, beside a flooded one", "ratePerSecond") /
          OTHERS_RATE,
        0.95,
      ),
      p99(
        figure,
        "RSA-2048, 4 keys, 200/s, beside a flooded one",
        "RSA-2048, 4 keys, 200/s",
      ),
      fairShare(
        figure,
        "RSA-2048, 4 keys, beside a flooded one",
        "the flooded one, beside the 4",
      ),
      p99(figure, "P-384 among a flooded RSA-2048 key (1:24), 16 × 64", "P-384, 200/s"),
    ],
  },
];

/** P-256 in a mix on one connection. */
function mixed(op: string, rsaKey: string): BenchLoad {
  return { op, watched: "ecdsa-sha256", keys: ["p256", rsaKey], connections: 1, inFlight: 64 };
}

function p99(figure: FigureOf, load: string, alone: string): Check {
  const times = figure(load, "p99Ms") / figure(alone, "p99Ms");
  return atMost(`${load}: p99 ÷ p99 alone`, times, 3);
}

function share(figure: FigureOf, load: string, alone: string, bound: number): Check {
  const part = figure(load, "ratePerSecond") / figure(alone, "ratePerSecond");
  return atLeast(`${load}: rate ÷ rate alone`, part, bound);
}

/** Both have as many connections. */
function fairShare(figure: FigureOf, load: string, other: string): Check {
  const rates = [load, other].map((name) => figure(name, "ratePerSecond"));
  return atLeast(`${load}: share of both`, rates[0]! / (rates[0]! + rates[1]!), 0.45);
}
