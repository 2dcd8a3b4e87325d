import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { after, before, describe, test } from "node:test";
import { verifyChain } from "../../src/crypto/libcrypto/verify_chain.ts";
import type { Purpose } from "../../src/crypto/purposes.ts";
import { readCertificates } from "../../src/pki/certificates.ts";
import { openX509Library } from "../../src/runtime/libcrypto_x509.ts";
import { type CertificatePlan, certify } from "../support/certificates.ts";
import { keyOf } from "../support/openssl.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const library = openX509Library();
const PAST = ["20000101000000Z", "20010101000000Z"] as const;
const FUTURE = ["20900101000000Z", "20910101000000Z"] as const;
const CA = "basicConstraints=critical,CA:TRUE";
const SIGNS = "keyUsage=critical,keyCertSign";
const NAME = "subjectAltName=DNS:a.example.com";

interface Case {
  /** What the certificates say besides that they are an authority's, or a leaf's. */
  readonly root?: CertificatePlan;
  readonly middle?: CertificatePlan;
  readonly leaf?: CertificatePlan;
  /** What the verifier gets to see of them. */
  readonly trusted?: "root" | "middle" | "other" | "leaf" | "nothing of it";
  readonly lacksMiddle?: boolean;
}

const authority = (...more: string[]): CertificatePlan => ({ extensions: [CA, SIGNS, ...more] });
const leaf = (...extensions: string[]): CertificatePlan => ({ extensions });

const CASES: Readonly<Record<string, Case>> = {
  "a good chain": {},
  "a CA bit that is missing": { middle: leaf(SIGNS) },
  "a CA bit that is false": { middle: leaf("basicConstraints=CA:FALSE") },
  "an authority that may not sign certificates": { middle: leaf(CA, "keyUsage=cRLSign") },
  "a path length of 0 at the root": {
    root: leaf("basicConstraints=critical,CA:TRUE,pathlen:0", SIGNS),
  },
  "a path length of 1 at the root": {
    root: leaf("basicConstraints=critical,CA:TRUE,pathlen:1", SIGNS),
  },
  "a name that is permitted": {
    middle: authority("nameConstraints=critical,permitted;DNS:example.com"),
    leaf: leaf(NAME),
  },
  "a name that is not permitted": {
    middle: authority("nameConstraints=critical,permitted;DNS:example.org"),
    leaf: leaf(NAME),
  },
  "a name that is excluded": {
    root: authority("nameConstraints=critical,excluded;DNS:a.example.com"),
    leaf: leaf(NAME),
  },
  "an address outside of what is permitted": {
    middle: authority("nameConstraints=critical,permitted;IP:10.0.0.0/255.0.0.0"),
    leaf: leaf("subjectAltName=IP:192.0.2.1"),
  },
  "a common name outside of what is permitted": {
    middle: authority("nameConstraints=critical,permitted;DNS:example.org"),
    leaf: { subject: "/CN=a.example.com" },
  },
  "a leaf for servers": { leaf: leaf("extendedKeyUsage=serverAuth") },
  "a leaf for clients": { leaf: leaf("extendedKeyUsage=clientAuth") },
  "a leaf for any use": { leaf: leaf("extendedKeyUsage=anyExtendedKeyUsage") },
  "a leaf for mail": { leaf: leaf("extendedKeyUsage=emailProtection") },
  "a leaf whose key may not sign": { leaf: leaf("keyUsage=keyCertSign") },
  "a leaf whose key may encipher": { leaf: leaf("keyUsage=keyEncipherment") },
  "an intermediate for clients": { middle: authority("extendedKeyUsage=clientAuth") },
  "a leaf that has expired": { leaf: { dates: PAST } },
  "a leaf that is not valid yet": { leaf: { dates: FUTURE } },
  "an intermediate that has expired": { middle: { ...authority(), dates: PAST } },
  "a root that has expired": { root: { ...authority(), dates: PAST } },
  "a critical extension that nobody knows": { leaf: leaf("1.2.3.4=critical,ASN1:UTF8:x") },
  "another root of the same name": { trusted: "other" },
  "another root": { trusted: "nothing of it" },
  "an intermediate that is missing": { lacksMiddle: true },
  "an intermediate that is trusted, and no root": { trusted: "middle" },
  "a leaf that is trusted itself": { trusted: "leaf" },
};

let dir: TempDir;
let keys: Readonly<Record<"root" | "middle" | "leaf" | "other", string>>;
before(() => {
  dir = makeTempDir();
  const key = dir.write("p256.key", keyOf("P-256"));
  const other = dir.write("p384.key", keyOf("P-384"));
  keys = { root: key, middle: other, leaf: key, other };
});
after(() => dir.remove());

interface Files {
  readonly leaf: string;
  readonly untrusted: string | undefined;
  readonly trusted: string;
}

function makeFiles(plan: Case): Files {
  const root = make("root", { subject: "/CN=root", ...authority(), ...plan.root });
  const middle = make("middle", {
    ...{ subject: "/CN=middle", issuer: { certificate: root, key: keys.root } },
    ...(plan.middle ?? authority()),
  });
  const leaf = make("leaf", { issuer: { certificate: middle, key: keys.middle }, ...plan.leaf });
  const others = {
    other: () => make("other", { subject: "/CN=root" }),
    "nothing of it": () => make("other", { subject: "/CN=other" }),
    root: () => root,
    middle: () => middle,
    leaf: () => leaf,
  };
  const trusted = others[plan.trusted ?? "root"]();
  return { leaf, untrusted: plan.lacksMiddle ? undefined : middle, trusted };
}

/** The path of a certificate; each is made once. */
function make(role: keyof typeof keys, plan: CertificatePlan = {}): string {
  const id = JSON.stringify([role, plan]);
  const path = made.get(id) ?? dir.write(`${role}-${made.size}`, certify(dir, keys[role], plan));
  made.set(id, path);
  return path;
}

const made = new Map<string, string>();

const PURPOSE_OPTIONS: Readonly<Record<Purpose, readonly string[]>> = {
  server: ["-purpose", "sslserver"],
  client: ["-purpose", "sslclient"],
  any: [],
};

/** "ok", or its first error: "10 at 0: certificate has expired". */
function byOpenssl({ leaf, untrusted, trusted }: Files, purpose: Purpose, host?: string): string {
  const { stdout, stderr } = spawnSync("openssl", [
    ...["verify", "-no-CApath", "-no-CAstore", "-CAfile", trusted, ...PURPOSE_OPTIONS[purpose]],
    ...(host === undefined ? [] : [isIP(host) === 0 ? "-verify_hostname" : "-verify_ip", host]),
    ...(untrusted === undefined ? [] : ["-untrusted", untrusted]),
    leaf,
  ], { encoding: "utf8" });
  const error = /error \d+ at (\d+) depth lookup: *(.*)/.exec(stderr);
  if (error !== null) return `${error[1]}: ${error[2]}`;
  assert.match(stdout, /: OK/);
  return "ok";
}

function byUs({ leaf, untrusted, trusted }: Files, purpose: Purpose, host?: string): string {
  const read = (path: string | undefined) =>
    path === undefined ? [] : readCertificates(readFileSync(path)).map(({ der }) => der);
  const { isValid, reason, depth } = verifyChain({
    certificate: read(leaf)[0]!,
    intermediates: read(untrusted),
    authorities: read(trusted),
    purpose,
    host,
  }, library);
  return isValid ? reason : `${depth}: ${reason}`;
}

describe("verifyChain says what openssl verify does", () => {
  for (const [what, plan] of Object.entries(CASES)) {
    test(`of ${what}`, () => {
      const files = makeFiles(plan);
      for (const purpose of ["server", "client", "any"] as const) {
        assert.equal(byUs(files, purpose), byOpenssl(files, purpose), purpose);
      }
    });
  }

  for (
    const [names, hosts] of [
      ["DNS:a.example.com", ["a.example.com", "A.EXAMPLE.COM", "b.example.com", "192.0.2.1"]],
      ["DNS:*.example.com", ["a.example.com", "a.b.example.com", "example.com"]],
      ["IP:192.0.2.1,IP:::1", ["192.0.2.1", "192.0.2.2", "::1", "0:0::1", "::2", "a.example.com"]],
      [undefined, ["a.example.com", "leaf"]],
    ] as const
  ) {
    test(`of hosts, where the certificate is for ${names ?? "its common name alone"}`, () => {
      const files = makeFiles({
        leaf: leaf(...names === undefined ? [] : [`subjectAltName=${names}`]),
      });
      const verdicts = hosts.map((host) => byUs(files, "any", host));
      assert.deepEqual(verdicts, hosts.map((host) => byOpenssl(files, "any", host)));
      assert.ok(verdicts.some((verdict) => /mismatch/.test(verdict)), "none is refused");
    });
  }

  test("of a self-signed certificate that nobody trusts", () => {
    const trusted = make("other", { subject: "/CN=root" });
    const files = { leaf: make("leaf"), untrusted: undefined, trusted };
    assert.match(byUs(files, "any"), /^0: self-signed certificate$/);
    assert.equal(byUs(files, "any"), byOpenssl(files, "any"));
  });
});
