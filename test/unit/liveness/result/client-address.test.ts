import assert from "node:assert/strict";
import { isIP } from "node:net";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { expectedClientIpAddress } from "../../../../src/face/versions/request-fields.ts";
import { isWithin } from "../../../../src/liveness/result/decision.ts";

describe("isWithin", () => {
  for (const [expected, within, without] of [
    ["203.0.113.7", ["203.0.113.7", "::ffff:203.0.113.7", "::ffff:cb00:7107"], ["203.0.113.8", "::203.0.113.7"]],
    ["203.0.113.0/24", ["203.0.113.0", "203.0.113.255", "::ffff:203.0.113.9"], ["203.0.112.255", "203.0.114.0"]],
    ["203.0.113.77/24", ["203.0.113.0", "203.0.113.255"], ["203.0.112.255"]],
    ["203.0.113.7/32", ["203.0.113.7"], ["203.0.113.6", "203.0.113.8"]],
    ["203.0.113.6/31", ["203.0.113.6", "203.0.113.7"], ["203.0.113.5", "203.0.113.8"]],
    ["0.0.0.0/1", ["0.0.0.0", "127.255.255.255"], ["128.0.0.0", "::1"]],
    ["0.0.0.0/0", ["0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"], ["::1", "2001:db8::1"]],
    ["2001:db8::1", ["2001:db8::1", "2001:DB8:0:0:0:0:0:1"], ["2001:db8::2", "0.0.0.1"]],
    ["2001:db8::/33", ["2001:db8::", "2001:db8:7fff:ffff::"], ["2001:db8:8000::", "2001:db7::"]],
    ["2001:db8::/127", ["2001:db8::", "2001:db8::1"], ["2001:db8::2"]],
    ["2001:db8::/128", ["2001:db8::"], ["2001:db8::1"]],
    ["::/0", ["::", "2001:db8::1", "203.0.113.7"], []],
    ["::ffff:203.0.113.7", ["203.0.113.7", "::ffff:203.0.113.7"], ["203.0.113.8"]],
    ["::ffff:203.0.113.0/120", ["203.0.113.0", "203.0.113.255", "::ffff:203.0.113.9"], ["203.0.114.0"]],
  ] as const) {
    test(`the addresses at both ends of ${expected}, and those beside them`, () => {
      for (const address of within) assert.equal(isWithin(address, expected), true, address);
      for (const address of without) assert.equal(isWithin(address, expected), false, address);
    });
  }

  test("text that is no address -> undefined", () => {
    const texts = ["", " ", "garbage", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", " 1.2.3.4", "1.2.3.4:443"];
    for (const text of [...texts, "1.2.3.4/32", "[::1]", ":::", "::1/128", "1.2.3.4\n", "1.2.3.4,1.2.3.4", "١.٢.٣.٤"]) {
      for (const expected of ["0.0.0.0/0", "::/0", "1.2.3.4"]) assert.equal(isWithin(text, expected), undefined, text);
    }
  });
});

test("every text that a creation may contain is compared without an error", () => {
  const similar = fc.string({ unit: fc.constantFrom(..."0123456789abcF.:/%+-") });
  const part = fc.oneof(fc.ipV4(), fc.ipV6(), fc.ipV4Extended(), similar);
  const prefix = fc.oneof(fc.integer({ min: -1, max: 130 }).map(String), fc.constantFrom("", "08", "1e1", "24/8"));
  const text = fc.oneof(
    part,
    fc.tuple(part, prefix).map((parts) => parts.join("/")),
  );
  fc.assert(
    fc.property(text, part, (expected, address) => {
      if (!expectedClientIpAddress.safeParse(expected).success) return;
      assert.equal(typeof isWithin(address, expected), isIP(address) === 0 ? "undefined" : "boolean");
      const [base = ""] = expected.split("/");
      assert.equal(isWithin(base, expected), true, `${base} within ${expected}`);
    }),
    { numRuns: 3000 },
  );
});
