import { readFileSync } from "node:fs";
import { openssl } from "./openssl.ts";
import { makeTempDir } from "./temp_dir.ts";

export interface RsaServer {
  readonly certificate: string;
  readonly key: string;
  /** The authority that the certificate comes from. */
  readonly ca: string;
}

/** A server's certificate with RSA keys all the way up, for localhost and 127.0.0.1, by openssl; PEM. */
export function makeRsaServer(): RsaServer {
  const dir = makeTempDir();
  try {
    const request = (name: string, subject: string, ...options: readonly string[]) =>
      openssl([
        ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", `/CN=${subject}`],
        ...["-keyout", dir.at(`${name}.key`), "-out", dir.at(`${name}.pem`), ...options],
      ]);
    request("ca", "RSA authority");
    request("server", "RSA server", ...[
      ...["-CA", dir.at("ca.pem"), "-CAkey", dir.at("ca.key")],
      ...[
        "basicConstraints=critical,CA:FALSE",
        "extendedKeyUsage=serverAuth",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
      ].flatMap((extension) => ["-addext", extension]),
    ]);
    const read = (name: string) => readFileSync(dir.at(name), "utf8");
    return { certificate: read("server.pem"), key: read("server.key"), ca: read("ca.pem") };
  } finally {
    dir.remove();
  }
}
