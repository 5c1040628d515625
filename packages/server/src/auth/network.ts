/**
 * Where a peer is, coarser than its address: the part of it that costs something to change.
 *
 * Whoever has one IPv6 address has the 2^64 of its subnet, so a limit must not count them apart. Evidence looks
 * at larger blocks still (IPv4 /24, IPv6 /48): a network that hands out another address now and then is no
 * second place. An address of a form we do not know stands for itself.
 */

/** For limits: an IPv4 address, an IPv6 /64. */
export function sourceOf(remoteAddress: string): string {
  const v4 = ipv4Of(remoteAddress);
  if (v4 !== undefined) return v4;
  return prefixOf(remoteAddress, 4) ?? remoteAddress.slice(0, addressCharactersMax);
}

/** For evidence: an IPv4 /24, an IPv6 /48. */
export function networkOf(remoteAddress: string): string {
  const v4 = ipv4Of(remoteAddress);
  if (v4 !== undefined) return v4.slice(0, v4.lastIndexOf("."));
  return prefixOf(remoteAddress, 3) ?? remoteAddress.slice(0, addressCharactersMax);
}

/** The longest textual address: IPv6 with an IPv4 tail is 45, a zone comes on top. */
const addressCharactersMax = 64;
const ipv4Form = /^(?:::ffff:)?(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})$/i;

function ipv4Of(address: string): string | undefined {
  return ipv4Form.exec(address)?.[1];
}

/** The first `groups` of the eight 16-bit groups of an IPv6 address (RFC 4291 §2.2), without leading zeros. */
function prefixOf(address: string, groups: number): string | undefined {
  if (!address.includes(":")) return undefined;
  const [withoutZone = ""] = address.split("%", 1);
  const [head = "", tail] = withoutZone.split("::", 2);
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const all = [...left, ...Array<string>(missing).fill("0"), ...right];
  return all
    .slice(0, groups)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ""))
    .join(":");
}
