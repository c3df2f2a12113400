import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { AddressNotAllowed, isPublicAddress, lookupAllowed, type Resolve } from "../../../src/events/addresses.ts";

describe("isPublicAddress", () => {
  test("public addresses", () => {
    for (const address of ["8.8.8.8", "20.50.2.3", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a01:111::1"]) {
      assert.equal(isPublicAddress(address), true, address);
    }
  });

  test("loopback, private, link-local, shared, multicast, documentation, platform: not public, in any notation", () => {
    for (const address of [
      ...["127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"],
      ...["169.254.169.254", "168.63.129.16", "100.64.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.9", "224.0.0.1"],
      ...["255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "ff02::1"],
      ...["::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "2001::1"],
      ...["0:0:0:0:0:ffff:7f00:0001", "::127.0.0.1", "100::1", "localhost", "", "8.8.8", "0x7f.1", "017700000001"],
    ]) {
      assert.equal(isPublicAddress(address), false, address);
    }
  });

  test("no address of a private network, whatever its other digits", () => {
    const byte = fc.nat({ max: 255 });
    const network = fc.constantFrom("10", "127", "0", "192.168", "169.254", "172.20", "100.100", "240");
    fc.assert(
      fc.property(network, byte, byte, byte, (prefix, a, b, c) => {
        const parts = [...prefix.split("."), a, b, c].slice(0, 4).join(".");
        assert.equal(isPublicAddress(parts), false, parts);
        assert.equal(isPublicAddress(`::ffff:${parts}`), false, parts);
      }),
    );
  });

  test("IPv6: only what is below 2000::/3", () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const first = Number.parseInt(new URL(`http://[${address}]/`).hostname.slice(1).split(":")[0] || "0", 16);
        if (first < 0x2000 || first > 0x3fff) assert.equal(isPublicAddress(address), false, address);
      }),
    );
  });
});

describe("lookupAllowed", () => {
  const answering =
    (...addresses: string[]): Resolve =>
    (_name, _options, callback) =>
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      );

  async function lookup(resolve: Resolve, all: boolean): Promise<unknown> {
    const { promise, resolve: done, reject } = Promise.withResolvers<unknown>();
    lookupAllowed(resolve, isPublicAddress)("a-name", { all }, (error, address) =>
      error ? reject(error) : done(address),
    );
    return promise;
  }

  test("passes on allowed addresses only", async () => {
    assert.deepEqual(await lookup(answering("127.0.0.1", "8.8.8.8", "::1"), true), [{ address: "8.8.8.8", family: 4 }]);
    assert.equal(await lookup(answering("10.0.0.1", "2606:4700::1111"), false), "2606:4700::1111");
  });

  test("none allowed, or an error -> fails", async () => {
    for (const all of [true, false]) {
      await assert.rejects(lookup(answering("127.0.0.1", "10.0.0.1"), all), AddressNotAllowed);
      await assert.rejects(lookup(answering(), all), AddressNotAllowed);
    }
    const failing: Resolve = (_name, _options, callback) =>
      callback(Object.assign(new Error("no"), { code: "ENOTFOUND" }), []);
    await assert.rejects(lookup(failing, true), { code: "ENOTFOUND" });
  });
});
