import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { readConfig } from "../../../../src/config.ts";
import type { Guard } from "../../../../src/liveness/model/guard.ts";
import {
  admit,
  admitOwner,
  countBound,
  countOutcome,
  countsForLockout,
  endLockout,
  type Limits,
  refundCreation,
} from "../../../../src/liveness/open/limits.ts";
import { faultsOf, minimal } from "../../fakes/settings.ts";
import { startOfTime } from "../../fakes/world.ts";

const limits: Limits = {
  creations: 3,
  ownerCreations: 2,
  ownerImages: 20,
  windowSeconds: 600,
  lockoutRejections: 2,
  lockoutSeconds: 1800,
};
const iso = (seconds: number) => new Date(startOfTime + seconds * 1000).toISOString();
const at = (seconds: number) => startOfTime + seconds * 1000;

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

describe("a device's creations", () => {
  test("are as many within the window as the limit says, and not one more", () => {
    const full = admitAll([0, 100, 200]);
    assert.deepEqual(full, { recent: [iso(0), iso(100), iso(200)], rejectionsInARow: 0, changedOn: iso(200) });
    assert.throws(() => admit(full, at(300), limits), tooMany(300));
    assert.throws(() => admit(full, at(599.5), limits), tooMany(1));
  });

  test("are refused after a lowering of the limit until there is room under the new one", () => {
    const full = admitAll([0, 100, 200]);
    assert.throws(() => admit(full, at(300), { ...limits, creations: 1 }), tooMany(500));
  });

  test("are never more than the limit in any window, whenever they are asked for", () => {
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
            assert.equal(recent.length, limits.creations, "refused without need");
          }
        }
        for (const [index, time] of granted.entries()) {
          const before = granted[index - limits.creations];
          assert.ok(before === undefined || time - before >= limits.windowSeconds);
        }
      }),
    );
  });

  test("fit into a row, however high the limit may be set", () => {
    const highest = 1000;
    for (const name of ["CREATION_LIMIT", "OWNER_CREATION_LIMIT"]) {
      assert.ok("config" in readConfig({ ...minimal, [name]: String(highest) }));
      assert.equal(faultsOf({ [name]: String(highest + 1) }).length, 1, name);
    }
    // A string in a table's row has at most 32 K characters.
    assert.ok(JSON.stringify(Array.from({ length: highest }, () => iso(0))).length < 32 * 1024);
  });
});

describe("a creation that is taken back", () => {
  test("leaves the guard once, and others of the same time in it", () => {
    const guard = { recent: [iso(0), iso(0), iso(1)], rejectionsInARow: 1, changedOn: iso(1) };
    const refunded = { recent: [iso(0), iso(1)], rejectionsInARow: 1, changedOn: iso(5) };
    assert.deepEqual(refundCreation(guard, iso(0), at(5)), refunded);
    assert.equal(refundCreation(guard, iso(2), at(5)), undefined);
    assert.equal(refundCreation(undefined, iso(0), at(5)), undefined);
  });
});

describe("a session that is bound to its device", () => {
  test("is counted at the time of its creation, and lets no further one in beyond the limit", () => {
    const first = countBound(undefined, iso(5), at(10), limits);
    assert.deepEqual(first, { recent: [iso(5)], rejectionsInARow: 0, changedOn: iso(10) });
    const full = countBound(admitAll([10], first), iso(0), at(20), limits);
    assert.deepEqual(full.recent, [iso(0), iso(5), iso(10)]);
    assert.throws(() => admit(full, at(20), limits), tooMany(580));
  });

  test("is never refused, and keeps a lock-out and the row of rejections", () => {
    const locked = { recent: [iso(1)], rejectionsInARow: 2, lockedUntil: iso(9999), changedOn: iso(1) };
    assert.deepEqual(countBound(locked, iso(2), at(3), limits), {
      ...locked,
      recent: [iso(1), iso(2)],
      changedOn: iso(3),
    });
  });

  test("lets the guard grow no further than the limit, and changes nothing by that", () => {
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

describe("the end of a lock-out", () => {
  test("forgets the rejections, and keeps the creations", () => {
    const locked = { recent: [iso(1)], rejectionsInARow: 2, lockedUntil: iso(9999), changedOn: iso(1) };
    assert.deepEqual(endLockout(locked, at(7)), { recent: [iso(1)], rejectionsInARow: 0, changedOn: iso(7) });
    assert.equal(endLockout({ recent: [iso(1)], rejectionsInARow: 0, changedOn: iso(1) }, at(7)), undefined);
    assert.equal(endLockout(undefined, at(7)), undefined);
  });
});

describe("a principal's creations", () => {
  test("have a limit of their own, and no lock-out", () => {
    const full = admitOwner(admitOwner(undefined, at(0), limits), at(1), limits);
    assert.deepEqual(full, { recent: [iso(0), iso(1)], rejectionsInARow: 0, changedOn: iso(1) });
    assert.throws(() => admitOwner(full, at(2), limits), tooMany(598));
    const locked = { recent: [], rejectionsInARow: 9, lockedUntil: iso(9999), changedOn: iso(-1) };
    assert.deepEqual(admitOwner(locked, at(0), limits), { recent: [iso(0)], rejectionsInARow: 0, changedOn: iso(0) });
  });
});

describe("rejections in a row", () => {
  test("lock a device out, for a time", () => {
    const once = countOutcome(undefined, "rejected", at(0), limits);
    assert.deepEqual(once, { rejectionsInARow: 1, changedOn: iso(0) });
    const twice = countOutcome({ recent: [], ...once }, "rejected", at(10), limits);
    assert.deepEqual(twice, { rejectionsInARow: 2, lockedUntil: iso(1810), changedOn: iso(10) });
    const locked = { recent: [], ...twice };
    assert.throws(() => admit(locked, at(1809), limits), {
      name: "ApiError",
      status: 403,
      code: "DeviceLockedOut",
      retryAfter: undefined,
      message: `Too many checks of this device were rejected. It is locked out until ${iso(1810)}.`,
    });
    const served = { recent: [iso(1810)], rejectionsInARow: 0, changedOn: iso(1810) };
    assert.deepEqual(admit(locked, at(1810), limits), served);
  });

  test("are ended by an acceptance, and by nothing else", () => {
    const guard = { recent: [], rejectionsInARow: 1, changedOn: iso(-1) };
    assert.deepEqual(countOutcome(guard, "accepted", at(0), limits), { rejectionsInARow: 0, changedOn: iso(0) });
    assert.deepEqual(admit(guard, at(0), limits).rejectionsInARow, 1);
  });

  test("count once for each session", () => {
    assert.equal(countsForLockout(undefined, "rejected"), true);
    assert.equal(countsForLockout("inconclusive", "rejected"), true);
    assert.equal(countsForLockout("accepted", "rejected"), true);
    assert.equal(countsForLockout(undefined, "accepted"), true);
    assert.equal(countsForLockout("rejected", "rejected"), false);
    assert.equal(countsForLockout("accepted", "accepted"), false);
    assert.equal(countsForLockout(undefined, "inconclusive"), false);
    assert.equal(countsForLockout("rejected", undefined), false);
  });
});
