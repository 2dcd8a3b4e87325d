/** The text of an address item: 4 bytes dotted, 16 bytes in groups of hexadecimal digits. */
export function formatIp(address: Uint8Array): string {
  if (address.length === 4) return address.join(".");
  const groups: string[] = [];
  for (let at = 0; at < address.length; at += 2) {
    groups.push(((address[at]! << 8) | address[at + 1]!).toString(16));
  }
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1); // shortened as RFC 5952 says
}
