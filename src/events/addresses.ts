import type { LookupAddress, LookupOptions } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";

/** Special networks of IPv4 by the registry of IANA. */
const specialV4 = [
  "0.0.0.0/8", // unspecified
  "10.0.0.0/8", // private
  "100.64.0.0/10", // shared by the customers of a carrier
  "127.0.0.0/8", // loopback
  "168.63.129.16/32", // the platform's endpoint in every virtual network of Azure
  "169.254.0.0/16", // link-local, with the metadata services of clouds
  "172.16.0.0/12", // private
  "192.0.0.0/24", // protocol assignments
  "192.0.2.0/24", // documentation
  "192.88.99.0/24", // relays of 6to4
  "192.168.0.0/16", // private
  "198.18.0.0/15", // benchmarks
  "198.51.100.0/24", // documentation
  "203.0.113.0/24", // documentation
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, and broadcast
];

/** Of IPv6, only this network is public. Loopback, private, multicast, IPv4-mapped and NAT64 addresses are outside of it. */
const globalUnicast = "2000::/3";
const specialV6 = [
  "2001::/23", // protocol assignments, with Teredo
  "2001:db8::/32", // documentation
  "2002::/16", // 6to4
  "3ffe::/16", // returned
  "3fff::/20", // documentation
];

// One list for each family: a list also compares an IPv4 address with the networks of IPv6 that contain mapped addresses.
const notPublicV4 = listOf(specialV4, "ipv4");
const publicV6 = listOf([globalUnicast], "ipv6");
const notPublicV6 = listOf(specialV6, "ipv6");

/** Whether an address belongs to the public internet. False for any text that is not an IP address, or has a zone. */
export function isPublicAddress(address: string): boolean {
  if (address.includes("%")) return false;
  const family = isIP(address);
  if (family === 4) return !notPublicV4.check(address, "ipv4");
  return family === 6 && publicV6.check(address, "ipv6") && !notPublicV6.check(address, "ipv6");
}

/** Thrown if the host has no address to which a connection is allowed. */
export class AddressNotAllowed extends Error {
  override name = "AddressNotAllowed";
}

/** Resolves a name to all its addresses, as `dns.lookup` with the option `all`. */
export type Resolve = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * Look-ups of one name, with the same options: those that begin while another is in progress get its answer. The system keeps
 * few threads for look-ups, and a name whose servers do not answer occupies one long after the delivery has ended: storage and
 * the Face service could not be reached while more names wait than there are threads.
 */
export function shareLookups(resolve: Resolve): Resolve {
  let waiting: Parameters<Resolve>[2][] = [];
  return (hostname, options, callback) => {
    waiting.push(callback);
    if (waiting.length > 1) return;
    resolve(hostname, options, (error, addresses) => {
      const callbacks = waiting;
      waiting = [];
      for (const answer of callbacks) answer(error, addresses);
    });
  };
}

/**
 * A `lookup` of a request that passes on allowed addresses only, and fails with `AddressNotAllowed` if there is none. The
 * connection uses a checked address and no second look-up, which could return another address (DNS rebinding).
 */
export function lookupAllowed(resolve: Resolve, isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const allowed = error ? [] : addresses.filter(({ address }) => isAllowed(address));
      const [first] = allowed;
      if (first === undefined) callback(error ?? new AddressNotAllowed(), []);
      else if (options.all) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

function listOf(networks: readonly string[], family: "ipv4" | "ipv6"): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix] = network.split("/");
    list.addSubnet(address, Number(prefix), family);
  }
  return list;
}
