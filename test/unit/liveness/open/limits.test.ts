import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { readConfig } from "../../../../src/config.ts";
import type { Guard } from "../../../../src/liveness/model/guard.ts";
import type { Limits } from "../../../../src/liveness/model/settings.ts";
import {
  admit,
  admitOwner,
  countBound,
  countOutcome,
  countsForLockout,
  endLockout,
  refundCreation,
} from "../../../../src/liveness/open/limits.ts";
import { faultsOf, minimal } from "../../fakes/settings.ts";
import { startOfTime } from "../../fakes/world.ts";

const limits: Limits = {
  ...{ creations: 3, ownerCreations: 2, ownerImages: 20, windowSeconds: 600 },
  ...{ lockoutRejections: 2, lockoutSeconds: 1800 },
};
const at = (seconds: number) => startOfTime + seconds * 1000;
const iso = (seconds: number) => new Date(at(seconds)).toISOString();

function admitAll(seconds: readonly number[], guard?: Guard): Guard | undefined {
  return seconds.reduce<Guard | undefined>((known, second) => admit(known, at(second), limits), guard);
}

function isAdmitted(guard: Guard | undefined, second: number): boolean {
  try {
    admit(guard, at(second), limits);
    return true;
  } catch {
    return false;
  }
}

const tooMany = (seconds: number) => ({
  name: "ApiError",
  status: 429,
  retryAfter: String(seconds),
  message: `Rate limit is exceeded. Try again in ${seconds} seconds.`,
});

describe("admit", () => {
  test("limit reached within the window -> 429 with the seconds until a place is free", () => {
    const full = admitAll([0, 100, 200]);
    assert.deepEqual(full, { recent: [iso(0), iso(100), iso(200)], rejectionsInARow: 0, changedOn: iso(200) });
    assert.throws(() => admit(full, at(300), limits), tooMany(300));
    assert.throws(() => admit(full, at(599.5), limits), tooMany(1));
  });

  test("limit lowered -> 429 until the new limit allows it", () => {
    const full = admitAll([0, 100, 200]);
    assert.throws(() => admit(full, at(300), { ...limits, creations: 1 }), tooMany(500));
  });

  test("any times -> never more than the limit in a window, and never refused below it", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2000), { maxLength: 40 }), (moments) => {
        const times = moments.sort((a, b) => a - b);
        const granted: number[] = [];
        let guard: Guard | undefined;
        for (const time of times) {
          try {
            guard = admit(guard, at(time), limits);
            granted.push(time);
          } catch {
            const recent = granted.filter((earlier) => earlier > time - limits.windowSeconds);
            assert.equal(recent.length, limits.creations, "refused below the limit");
          }
        }
        for (const [index, time] of granted.entries()) {
          const before = granted[index - limits.creations];
          assert.ok(before === undefined || time - before >= limits.windowSeconds);
        }
      }),
    );
  });

  test("highest configurable limit -> the times fit into one property of a row", () => {
    const highest = 1000;
    for (const name of ["CREATION_LIMIT", "OWNER_CREATION_LIMIT"]) {
      assert.ok("config" in readConfig({ ...minimal, [name]: String(highest) }));
      assert.equal(faultsOf({ [name]: String(highest + 1) }).length, 1, name);
    }
    // A string property of a table row has at most 32 K characters.
    assert.ok(JSON.stringify(Array.from({ length: highest }, () => iso(0))).length < 32 * 1024);
  });
});

test("refundCreation: several creations at the same time -> removes one of them", () => {
  const guard = { recent: [iso(0), iso(0), iso(1)], rejectionsInARow: 1, changedOn: iso(1) };
  const refunded = { recent: [iso(0), iso(1)], rejectionsInARow: 1, changedOn: iso(5) };
  assert.deepEqual(refundCreation(guard, iso(0), at(5)), refunded);
  assert.equal(refundCreation(guard, iso(2), at(5)), undefined);
  assert.equal(refundCreation(undefined, iso(0), at(5)), undefined);
});

describe("countBound", () => {
  test("session created earlier -> counted at its creation time, within the limit", () => {
    const first = countBound(undefined, iso(5), at(10), limits);
    assert.deepEqual(first, { recent: [iso(5)], rejectionsInARow: 0, changedOn: iso(10) });
    const full = countBound(admitAll([10], first), iso(0), at(20), limits);
    assert.deepEqual(full.recent, [iso(0), iso(5), iso(10)]);
    assert.throws(() => admit(full, at(20), limits), tooMany(580));
  });

  test("locked-out device -> counts the session, keeps lockout and rejections", () => {
    const locked = { recent: [iso(1)], rejectionsInARow: 2, lockedUntil: iso(9999), changedOn: iso(1) };
    const counted = { ...locked, recent: [iso(1), iso(2)], changedOn: iso(3) };
    assert.deepEqual(countBound(locked, iso(2), at(3), limits), counted);
  });

  test("more sessions than the limit -> guard cut to the limit, with the same admissions", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2000), { maxLength: 20 }), fc.nat(3000), (moments, then) => {
        const whole = { recent: moments.sort((a, b) => a - b).map(iso), rejectionsInARow: 0, changedOn: iso(0) };
        const cut = moments.reduce<Guard | undefined>(
          (guard, s) => countBound(guard, iso(s), at(s), limits),
          undefined,
        );
        assert.ok((cut?.recent.length ?? 0) <= limits.creations);
        assert.equal(isAdmitted(cut, then), isAdmitted(whole, then));
      }),
    );
  });
});

test("endLockout: locked-out device -> clears lockout and rejections, keeps creations", () => {
  const locked = { recent: [iso(1)], rejectionsInARow: 2, lockedUntil: iso(9999), changedOn: iso(1) };
  assert.deepEqual(endLockout(locked, at(7)), { recent: [iso(1)], rejectionsInARow: 0, changedOn: iso(7) });
  assert.equal(endLockout({ recent: [iso(1)], rejectionsInARow: 0, changedOn: iso(1) }, at(7)), undefined);
  assert.equal(endLockout(undefined, at(7)), undefined);
});

test("admitOwner: own limit reached -> 429; lockout of the guard -> ignored", () => {
  const full = admitOwner(admitOwner(undefined, at(0), limits), at(1), limits);
  assert.deepEqual(full, { recent: [iso(0), iso(1)], rejectionsInARow: 0, changedOn: iso(1) });
  assert.throws(() => admitOwner(full, at(2), limits), tooMany(598));
  const locked = { recent: [], rejectionsInARow: 9, lockedUntil: iso(9999), changedOn: iso(-1) };
  assert.deepEqual(admitOwner(locked, at(0), limits), { recent: [iso(0)], rejectionsInARow: 0, changedOn: iso(0) });
});

describe("countOutcome", () => {
  test("limit of rejections reached -> 403 DeviceLockedOut until the lockout ends", () => {
    const once = countOutcome(undefined, "rejected", at(0), limits);
    assert.deepEqual(once, { rejectionsInARow: 1, changedOn: iso(0) });
    const twice = countOutcome({ recent: [], ...once }, "rejected", at(10), limits);
    assert.deepEqual(twice, { rejectionsInARow: 2, lockedUntil: iso(1810), changedOn: iso(10) });
    const locked = { recent: [], ...twice };
    const message = `Too many checks of this device were rejected. It is locked out until ${iso(1810)}.`;
    const refusal = { name: "ApiError", status: 403, code: "DeviceLockedOut", retryAfter: undefined, message };
    assert.throws(() => admit(locked, at(1809), limits), refusal);
    const served = { recent: [iso(1810)], rejectionsInARow: 0, changedOn: iso(1810) };
    assert.deepEqual(admit(locked, at(1810), limits), served);
  });

  test("acceptance -> resets the rejections; a creation does not", () => {
    const guard = { recent: [], rejectionsInARow: 1, changedOn: iso(-1) };
    assert.deepEqual(countOutcome(guard, "accepted", at(0), limits), { rejectionsInARow: 0, changedOn: iso(0) });
    assert.deepEqual(admit(guard, at(0), limits).rejectionsInARow, 1);
  });

  test("countsForLockout -> a decision of a session counts once", () => {
    for (const before of [undefined, "inconclusive", "accepted"] as const) {
      assert.equal(countsForLockout(before, "rejected"), true, before);
    }
    assert.equal(countsForLockout(undefined, "accepted"), true);
    for (const same of ["rejected", "accepted"] as const) assert.equal(countsForLockout(same, same), false, same);
    assert.equal(countsForLockout(undefined, "inconclusive"), false);
    assert.equal(countsForLockout("rejected", undefined), false);
  });
});
