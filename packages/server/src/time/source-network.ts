/**
 * What a rate limit counts as one source: an IPv4 address, or the /64 an IPv6 host may choose its addresses from.
 */

/** @param address As the platform writes it; IPv4 in IPv6 (`::ffff:192.0.2.1`) is the IPv4 address. */
export function sourceNetwork(address: string): string {
  if (address.startsWith("::ffff:") && address.includes(".")) return address.slice("::ffff:".length);
  if (!address.includes(":")) return address;
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const after = tail === "" ? [] : tail.split(":");
    while (groups.length + after.length < 8) groups.push("0");
    groups.push(...after);
  }
  return `${groups.slice(0, 4).join(":")}::/64`;
}
