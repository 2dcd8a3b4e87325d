import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Authority, IssueRequest } from "../../src/pki/authority.ts";
import { echo, startFakeServer } from "../support/fake_server.ts";
import {
  at,
  createPingFixture,
  credentialFiles,
  DAY_MS,
  ping,
  pingJson,
  serverPair,
  SLOW,
} from "../support/ping_fixture.ts";
import type { TempDir } from "../support/temp_dir.ts";
import type { TestPki } from "../support/test_server.ts";

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;

let pki: TestPki;
let rogue: Authority;
let dir: TempDir;
/** The flags of a good client. */
let files: readonly string[];
before(async () => {
  ({ pki, rogue, dir, files } = await createPingFixture());
});
after(() => dir.remove());

describe("keyless ping: TLS that is refused", () => {
  const clients: readonly [
    what: string,
    client: () => ReturnType<TestPki["otherClient"]>,
    hint: RegExp,
  ][] = [
    [
      "of another CA",
      () => pki.otherClient({}, rogue),
      /issued by "CN=rogue authority", has no fault that can be seen from here: see that the CA/,
    ],
    [
      "that has expired",
      () => pki.otherClient({ notAfter: new Date(Date.now() - 60_000) }),
      /client's certificate "CN=test client", issued by "CN=test authority", expired on 20/,
    ],
    [
      "that is not valid yet",
      () => pki.otherClient({ notBefore: new Date(Date.now() + DAY_MS) }),
      /is not valid before 20/,
    ],
    [
      "meant for servers",
      () => pki.otherClient({ usages: ["server"] }),
      /is not meant for clients \(clientAuth\): give another with --cert and --key/,
    ],
  ];
  for (const [what, client, hint] of clients) {
    for (const maxVersion of VERSIONS) {
      test(
        `a client's certificate ${what}: exit 4, and why, under ${maxVersion}`,
        SLOW,
        async () => {
          await using server = await startFakeServer(pki, echo, { maxVersion });
          const flags = credentialFiles(dir, "refused", await client());
          const { code, stderr, stdout } = await ping(at(server.port), ...flags);
          assert.equal(code, 4);
          assert.match(stderr, /^keyless ping: .*127\.0\.0\.1:\d+/);
          assert.match(stderr, hint);
          assert.match(stdout, /seq=1 TLS_REFUSED\n[^]*1 sent, 0 received, 100% loss/);
        },
      );
    }
  }

  const servers: readonly [
    what: string,
    request: Partial<IssueRequest>,
    hint: RegExp,
  ][] = [
    [
      "that has expired",
      { notBefore: new Date(Date.now() - 2 * DAY_MS), notAfter: new Date(Date.now() - DAY_MS) },
      /shows "CN=server", issued by "CN=test authority", which expired on 20/,
    ],
    [
      "that is not valid yet",
      { notBefore: new Date(Date.now() + DAY_MS) },
      /which is not valid before 20/,
    ],
    ["meant for clients", { usages: ["client"] }, /which is not meant for servers/],
    [
      "for other names",
      { names: ["keys.test", "10.0.0.1"] },
      /is not for 127\.0\.0\.1, but for DNS:keys\.test[^]*--server-name keys\.test/,
    ],
    [
      "for its common name alone",
      { commonName: "keys.test", names: [] },
      /give the server a certificate with a subject alternative name\n.* --server-name keys\.test$/m,
    ],
  ];
  for (const [what, request, hint] of servers) {
    for (const maxVersion of VERSIONS) {
      test(
        `a server's certificate ${what}: exit 4, and why, under ${maxVersion}`,
        SLOW,
        async () => {
          const pair = await serverPair(pki.authority, request);
          await using server = await startFakeServer(pki, echo, { ...pair, maxVersion });
          const { code, stderr } = await ping(at(server.port), ...files);
          assert.equal(code, 4);
          assert.match(stderr, hint);
        },
      );
    }
  }

  test("a server's certificate of another CA: exit 4, and names the issuer", SLOW, async () => {
    const pair = await serverPair(rogue, {});
    await using server = await startFakeServer(pki, echo, pair);
    const { code, document } = await pingJson(at(server.port), ...files);
    assert.equal(code, 4);
    assert.match(
      document.targets[0].hint,
      /issued by "CN=rogue authority": if that is the authority that you trust, .* --ca$/,
    );
    assert.equal(server.peers.flatMap((peer) => peer.requests).length, 0);
  });

  test("--server-name is what the certificate must be for", SLOW, async () => {
    const pair = await serverPair(pki.authority, { names: ["keys.test"] });
    await using server = await startFakeServer(pki, echo, pair);
    const run = (name: string) => ping(at(server.port), ...files, "-c", "1", "--server-name", name);
    assert.equal((await run("keys.test")).code, 0);
    assert.equal((await run("other.test")).code, 4);
  });
});
