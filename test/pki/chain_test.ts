import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { describeCertificate } from "../../src/pki/certificate_details.ts";
import { type Certificate, readCertificates } from "../../src/pki/certificates.ts";
import { chainFlaws, type ChainShape, examineChain } from "../../src/pki/chain.ts";
import { type CertificatePlan, certify } from "../support/certificates.ts";
import { genpkey, type KeyKind, keyOf } from "../support/openssl.ts";
import { makeTempDir, type TempDir } from "../support/temp_dir.ts";

const CA = { extensions: ["basicConstraints=critical,CA:TRUE"] };

let dir: TempDir;
/** Of one chain, and of another; `cross` is `middle` as another root has signed it. */
let made: Readonly<
  Record<"leaf" | "middle" | "root" | "cross" | "other" | "stranger", Certificate>
>;
before(() => {
  dir = makeTempDir();
  const keys = {
    leaf: dir.write("leaf.key", keyOf("P-256")),
    middle: dir.write("middle.key", keyOf("P-384")),
    root: dir.write("root.key", keyOf("RSA 2048")),
    other: dir.write("other.key", keyOf("Ed25519")),
  };
  const make = (key: keyof typeof keys, name: string, plan: CertificatePlan) =>
    dir.write(`${name}.crt`, certify(dir, keys[key], { subject: `/CN=${name}`, ...plan }));
  const by = (certificate: string, key: keyof typeof keys) => ({
    issuer: { certificate, key: keys[key] },
  });
  const root = make("root", "root", CA);
  const other = make("other", "other", CA);
  const cross = make("middle", "middle", { ...CA, ...by(other, "other") });
  const crossed = read(cross);
  const middle = make("middle", "middle", { ...CA, ...by(root, "root") });
  const leaf = make("leaf", "leaf", { ...by(middle, "middle") });
  made = {
    leaf: read(leaf),
    middle: read(middle),
    root: read(root),
    cross: crossed,
    other: read(other),
    stranger: read(make("other", "stranger", {})),
  };
});
after(() => dir.remove());

function read(path: string): Certificate {
  return readCertificates(readFileSync(path))[0];
}

type Name = keyof typeof made;

async function examine(names: readonly Name[]): Promise<ChainShape> {
  return await shapeOf(names.map((name) => made[name]));
}

async function shapeOf(certificates: readonly Certificate[]): Promise<ChainShape> {
  return await examineChain(certificates, certificates.map(describeCertificate));
}

describe("examineChain", () => {
  const cases: readonly [
    what: string,
    names: readonly Name[],
    path: readonly number[],
    endsInRoot: boolean,
    flaws: readonly string[],
  ][] = [
    ["a leaf alone", ["leaf"], [0], false, []],
    ["a self-signed leaf", ["stranger"], [0], true, []],
    ["a leaf and its issuer, as servers send them", ["leaf", "middle"], [0, 1], false, []],
    ["a chain with its root", ["leaf", "middle", "root"], [0, 1, 2], true, []],
    ["a chain that begins with the root", ["root", "middle", "leaf"], [2, 1, 0], true, [
      "the chain is out of order: servers must send them as 3, 2, 1",
    ]],
    ["intermediates out of order", ["leaf", "root", "middle"], [0, 2, 1], true, [
      "the chain is out of order: servers must send them as 1, 3, 2",
    ]],
    ["a chain with a gap", ["leaf", "root"], [0], false, [
      "the chain is incomplete: the issuer of 1 is missing",
      "not part of the chain: 2",
    ]],
    ["a stranger behind it", ["leaf", "middle", "root", "other"], [0, 1, 2], true, [
      "not part of the chain: 4",
    ]],
    ["a certificate that stands twice", ["leaf", "middle", "middle", "leaf"], [0, 1], false, [
      "there twice: 3, 4",
    ]],
    [
      "a cross-signed intermediate, and both roots",
      ["leaf", "middle", "cross", "root", "other"],
      [
        ...[0, 1, 3],
      ],
      true,
      [],
    ],
    ["authorities alone, which need be no chain", ["other", "root"], [0], true, []],
  ];
  for (const [what, names, path, endsInRoot, flaws] of cases) {
    test(`finds the path of ${what}`, async () => {
      const shape = await examine(names);
      assert.deepEqual(shape.path, path);
      assert.equal(shape.endsInRoot, endsInRoot);
      assert.deepEqual(chainFlaws(shape), flaws);
    });
  }

  const IMPOSTOR = { subject: "/CN=root", ...CA };

  test("is not misled by an issuer of the same name with another key", async () => {
    const withoutIds = { extensions: [...CA.extensions, "subjectKeyIdentifier=none"] };
    const key = dir.at("other.key");
    const impostor = read(dir.write("impostor", certify(dir, key, IMPOSTOR)));
    const shape = await shapeOf([made.middle, impostor, made.root]);
    assert.deepEqual(shape.path, [0, 2], "by the key identifier");
    const nameless = read(dir.write("nameless", certify(dir, key, { ...IMPOSTOR, ...withoutIds })));
    const bare = await shapeOf([made.middle, nameless, made.root]);
    assert.deepEqual(bare.path, [0, 2], "by the signature");
  });

  for (
    const [what, key, options] of [
      ["RSA 2048", "RSA 2048", []],
      ["RSA 2048 with PSS", "RSA 2048", ["-sigopt", "rsa_padding_mode:pss"]],
      ["RSA 2048 with SHA-1", "RSA 2048", ["-sha1"]],
      ["RSA 2048 with SHA-512", "RSA 2048", ["-sha512"]],
      ["P-224", "P-224", []],
      ["P-256", "P-256", ["-sha512"]],
      ["P-384", "P-384", []],
      ["P-521", "P-521", ["-sha512"]],
      ["Ed25519", "Ed25519", []],
    ] as const satisfies readonly [string, KeyKind, readonly string[]][]
  ) {
    test(`takes what a root of ${what} signs for its own`, async () => {
      await ownSignature(keyOf(key), options);
    });
  }

  test("takes a root for its own whose algorithm the runtime may not know", async () => {
    await ownSignature(genpkey("-algorithm", "ED448"), []);
    await ownSignature(genpkey("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp192k1"), []);
    await ownSignature(genpkey("-algorithm", "RSA-PSS"), []);
  });

  async function ownSignature(pem: Uint8Array, options: readonly string[]): Promise<void> {
    const key = dir.write("own.key", pem);
    const root = read(dir.write("own", certify(dir, key, { ...CA, options })));
    assert.deepEqual((await shapeOf([root])).endsInRoot, true);
  }

  test("answers soon for a thousand certificates of one name", async () => {
    const details = describeCertificate(made.root);
    const shape = await examineChain(
      Array.from({ length: 1_000 }, () => made.root),
      Array.from({ length: 1_000 }, () => details),
    );
    assert.equal(shape.repeated.length, 999);
  });
});
