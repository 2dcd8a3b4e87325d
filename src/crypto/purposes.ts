/** What a certificate is to be good for: OpenSSL's sslserver, sslclient; "any" is not looked at. */
export const PURPOSES = ["server", "client", "any"] as const;

export type Purpose = (typeof PURPOSES)[number];
