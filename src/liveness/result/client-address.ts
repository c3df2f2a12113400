import { BlockList, isIP } from "node:net";

/**
 * Whether an address is the expected one, or within the expected CIDR block. IPv4 addresses in IPv6 notation are IPv4
 * addresses. Undefined for text that is no address.
 */
export function isWithin(address: string, expected: string): boolean | undefined {
  const [base = "", prefix] = expected.split("/");
  const family = familyOf(base);
  const of = familyOf(address);
  if (family === undefined || of === undefined) return undefined;
  const allowed = new BlockList();
  if (prefix === undefined) allowed.addAddress(base, family);
  else allowed.addSubnet(base, Number(prefix), family);
  return allowed.check(address, of);
}

function familyOf(address: string): "ipv4" | "ipv6" | undefined {
  const version = isIP(address);
  if (version === 0) return undefined;
  return version === 4 ? "ipv4" : "ipv6";
}
