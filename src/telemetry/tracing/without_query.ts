/** A collector's URL as it may be shown: its query may hold a token. */
export function withoutQuery(url: string): string {
  return url.replace(/\?.*$/, "");
}
