import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../../../src/errors.ts";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { makeImage } from "../../../fixtures/images.ts";
import { runTimer } from "../../fakes/app.ts";
import { failAt, failOn, type Hook, InjectedError, type Moment, stopAt } from "../../fakes/calls.ts";
import { command, createWorld, type World } from "../../fakes/world.ts";

const image = { bytes: makeImage(), filename: "face.jpg" };
const asked = command({ image });
const nothing = createWorld().everything();

const open = (world: World, hook: Hook) => openSession(world.start(hook).deps, asked);

/** Of the transactions that a creation makes, the second is its commit. */
const isCommit = ({ name, nth }: Moment) => name === "sessions.transact" && nth === 2;

/** Lets the timer do what is due after a creation: twelve minutes later, and again after all that is ever kept. */
async function letTimePass(world: World): Promise<void> {
  for (const time of [{ minutes: 12 }, { days: 2 }, { days: 90 }]) {
    world.advance(time);
    await runTimer(world.start());
  }
}

/** How many calls an undisturbed creation takes. */
async function callsOfOne(): Promise<number> {
  const { calls, deps } = createWorld().start();
  await openSession(deps, asked);
  return calls.names.length;
}

describe("a creation that fails leaves nothing", () => {
  for (const name of ["sessions.transact", "face.create", "expiry.put", "images.put"]) {
    test(`when ${name} fails`, async () => {
      const world = createWorld();
      await assert.rejects(open(world, failOn(name, "before", 1)), InjectedError);
      assert.deepEqual(world.everything(), nothing);
      assert.equal(world.service.live.size, 0);
    });
  }

  test("when the answer of the expiry row or of the image is lost", async () => {
    for (const name of ["expiry.put", "images.put"]) {
      const world = createWorld();
      await assert.rejects(open(world, failOn(name, "after")), InjectedError);
      assert.deepEqual(world.everything(), nothing, name);
      assert.equal(world.service.live.size, 0, name);
    }
  });

  test("when the device was erased meanwhile, which is told as a conflict", async () => {
    const world = createWorld();
    const erase: Hook = (moment) => {
      if (isCommit(moment) && moment.when === "before") {
        for (const { partition, row } of world.tables.keys.all()) world.tables.keys.remove(partition, row);
        for (const { partition, row } of world.tables.guards.all()) world.tables.guards.remove(partition, row);
      }
      return undefined;
    };
    await assert.rejects(open(world, erase), { name: "ApiError", status: 409, code: "CreationConflict" });
    assert.deepEqual(world.everything(), nothing);
    assert.equal(world.service.live.size, 0);
  });
});

describe("a creation that fails tells why", () => {
  test("in the service's own words", async () => {
    const refusal = new ApiError(400, "InvalidImage", "No face detected.");
    const world = createWorld();
    await assert.rejects(
      open(world, ({ name }) => (name === "face.create" ? refusal : undefined)),
      refusal,
    );
    // Its place in the guard, which it has used, is all that it leaves.
    assert.equal(world.tables.guards.all().length, 1);
    world.tables.guards.remove("a-device", "g");
    assert.deepEqual(world.everything(), nothing);
  });

  test("also where a step back fails", async () => {
    const refusal = new ApiError(503, "ServerBusy", "Busy.");
    for (const step of ["sessions.remove", "expiry.remove", "images.delete"]) {
      const world = createWorld();
      const hook: Hook = ({ name }) => {
        if (name === "face.create") return refusal;
        return name === step ? new InjectedError("a step back") : undefined;
      };
      await assert.rejects(open(world, hook), refusal);
      await letTimePass(world);
      assert.deepEqual(world.everything(), nothing, `the timer removes what ${step} has left`);
    }
  });
});

describe("a commit whose fate is not known", () => {
  for (const when of ["before", "after"] as const) {
    test(`revokes the session, so that nobody waits for it: lost ${when} it was written`, async () => {
      const world = createWorld();
      const lost: Hook = (moment) => {
        const isLost = (isCommit(moment) && moment.when === when) || moment.name === "sessions.get";
        return isLost ? new InjectedError("injected") : undefined;
      };
      await assert.rejects(open(world, lost), InjectedError);
      assert.equal(world.service.live.size, 0);
      assert.equal(world.tables.records.all().length, when === "after" ? 1 : 0);
      await letTimePass(world);
      assert.deepEqual(world.everything(), nothing);
    });
  }

  test("is looked up: what was written is a success though its answer was lost", async () => {
    const world = createWorld();
    const { record } = await open(world, failOn("sessions.transact", "after", 2));
    assert.deepEqual(world.record(), record);
    assert.ok(world.service.live.has(record.sessionId));
  });

  test("tells of the commit also where the session cannot be revoked", async () => {
    const world = createWorld();
    const fails: Hook = (moment) =>
      isCommit(moment) || moment.name === "face.revoke" ? new InjectedError(moment.name) : undefined;
    const error = await open(world, fails).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof InjectedError);
    assert.equal(error.message, "sessions.transact");
    assert.equal(world.service.live.size, 1);
  });
});

describe("a creation that is cut short", () => {
  for (const when of ["before", "after"] as const) {
    test(`${when} any of its calls leaves nothing that the timer does not remove`, async () => {
      const count = await callsOfOne();
      for (let number = 1; number <= count; number += 1) {
        const world = createWorld();
        const process = world.start(stopAt(number, when));
        assert.deepEqual(await process.attempt((deps) => openSession(deps, asked)), { stopped: true });
        await letTimePass(world);
        assert.deepEqual(world.everything(), nothing, `call ${number}`);
      }
    });

    test(`by an error ${when} any of its calls loses no session whose token was handed out`, async () => {
      const count = await callsOfOne();
      for (let number = 1; number <= count; number += 1) {
        const world = createWorld();
        const process = world.start(failAt(number, when));
        const outcome = await process.attempt((deps) => openSession(deps, asked));
        // A commit of which only the answer was lost is found to be one.
        const isCommitted = when === "after" && number > 1 && process.calls.names[number - 1] === "sessions.transact";
        assert.ok(isCommitted ? "value" in outcome : "error" in outcome, `call ${number}`);
        // Nobody has a token, so no session may live on; but of one whose id was lost nobody knows.
        const isUnknown = when === "after" && process.calls.names[number - 1] === "face.create";
        assert.equal(world.service.live.size, isUnknown || isCommitted ? 1 : 0, `call ${number}`);
        await letTimePass(world);
        assert.deepEqual(world.tables.records.all(), [], `call ${number}`);
        assert.equal(world.blobs.images.size, 0, `call ${number}`);
      }
    });
  }
});
