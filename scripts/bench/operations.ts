import { atLeast, atMost, microseconds, perSecond, ratio, told } from "./checks.ts";
import type { BenchLoad, Check, FigureOf, Measurement } from "./types.ts";

/** Signatures by one key, side by side with `openssl speed` of the same kind. */
interface Kind {
  readonly name: string;
  readonly key: string;
  /** As `openssl speed` calls it. */
  readonly openssl: string;
  readonly rows: readonly Row[];
}

interface Row extends Pick<BenchLoad, "op"> {
  readonly name: string;
  readonly connections?: number;
  readonly inFlight?: number;
  /** Its rate in those of openssl; the target at least. */
  readonly rate?: { readonly of: "one core" | "all cores"; readonly atLeast: number };
  /** Its CPU time for each, in signatures of openssl's on one core; the target at most. */
  readonly costAtMost?: number;
}

const KINDS: readonly Kind[] = [
  {
    name: "P-256",
    key: "p256",
    openssl: "ecdsap256",
    rows: [{
      name: "P-256",
      op: "ecdsa-sha256",
      rate: { of: "one core", atLeast: 1 },
      costAtMost: 1.5,
    }],
  },
  {
    name: "P-384",
    key: "p384",
    openssl: "ecdsap384",
    rows: [{ name: "P-384", op: "ecdsa-sha384" }],
  },
  {
    name: "P-521",
    key: "p521",
    openssl: "ecdsap521",
    rows: [{ name: "P-521", op: "ecdsa-sha512" }],
  },
  {
    name: "Ed25519",
    key: "ed25519",
    openssl: "ed25519",
    rows: [{ name: "Ed25519", op: "ed25519", costAtMost: 1.5 }],
  },
  {
    name: "RSA-2048",
    key: "rsa-2048",
    openssl: "rsa2048",
    rows: [
      { name: "RSA-2048", op: "rsa-sha256", rate: { of: "all cores", atLeast: 0.85 } },
      {
        name: "RSA-2048, 1 × 64",
        op: "rsa-sha256",
        connections: 1,
        inFlight: 64,
        rate: { of: "all cores", atLeast: 0.85 },
      },
      { name: "RSA-2048, PSS", op: "rsa-pss-sha256" },
      { name: "RSA-2048, decryption", op: "rsa-decrypt" },
    ],
  },
  {
    name: "RSA-3072",
    key: "rsa-3072",
    openssl: "rsa3072",
    rows: [{ name: "RSA-3072", op: "rsa-sha256" }],
  },
  {
    name: "RSA-4096",
    key: "rsa-4096",
    openssl: "rsa4096",
    rows: [{ name: "RSA-4096", op: "rsa-sha256" }],
  },
];

/** Each operation by itself, 16 connections with 4 outstanding requests unless a name says more. */
export const OPERATIONS: readonly Measurement[] = [
  {
    name: "ping",
    section: "operations",
    runs: [{ "ping": { op: "ping", connections: 16, inFlight: 4 } }],
    checks: (figure) => [
      atLeast("ping: rate", figure("ping", "ratePerSecond"), 95_000, perSecond),
      atMost("ping: CPU each", figure("ping", "cpuMicroseconds"), 8, microseconds),
      atLeast(
        "keyless bench: pings that one core of it can drive",
        1e6 / figure("ping", "clientMicroseconds"),
        100_000,
        perSecond,
      ),
    ],
  },
  ...KINDS.map(signatures),
];

function signatures({ name, key, openssl, rows }: Kind): Measurement {
  const loads = rows.map(({ name, op, connections = 16, inFlight = 4 }) => ({
    [name]: { op, keys: [key], connections, inFlight },
  }));
  return {
    name,
    section: "operations",
    runs: [
      ...loads,
      { [opensslName(openssl, "one core")]: { openssl, on: "one core" } },
      { [opensslName(openssl, "all cores")]: { openssl, on: "all cores" } },
    ],
    checks: (figure) => rows.flatMap((row) => checksOf(row, openssl, figure)),
  };
}

function checksOf(row: Row, openssl: string, figure: FigureOf): readonly Check[] {
  const { of, atLeast: share } = row.rate ?? { of: "all cores", atLeast: undefined };
  const rate = figure(row.name, "ratePerSecond") /
    figure(opensslName(openssl, of), "ratePerSecond");
  const cost = figure(row.name, "cpuMicroseconds") /
    figure(opensslName(openssl, "one core"), "cpuMicroseconds");
  const rateName = `${row.name}: rate ÷ openssl's, ${of}`;
  const costName = `${row.name}: CPU each ÷ openssl's`;
  return [
    share === undefined ? told(rateName, rate) : atLeast(rateName, rate, share, ratio),
    row.costAtMost === undefined ? told(costName, cost) : atMost(costName, cost, row.costAtMost),
  ];
}

function opensslName(algorithm: string, on: "one core" | "all cores"): string {
  return `openssl speed ${algorithm}, ${on}`;
}
