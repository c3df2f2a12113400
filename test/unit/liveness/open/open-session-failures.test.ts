import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../../../src/errors.ts";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { makeImage } from "../../../fixtures/images.ts";
import { runTimer } from "../../fakes/app.ts";
import { failAt, type Hook, InjectedError, type Moment } from "../../fakes/calls.ts";
import { assertNothingStored, command, createWorld, type World } from "../../fakes/world.ts";

const image = { bytes: makeImage(), filename: "face.jpg" };
const creation = command({ image });

const open = (world: World, hook: Hook) => openSession(world.start(hook).deps, creation);

/** The commit is the second transaction of a creation. */
const isCommit = ({ name, nth }: Moment) => name === "sessions.transact" && nth === 2;

/** Runs the timer when collecting, pruning and purging are due. */
async function letTimePass(world: World): Promise<void> {
  for (const time of [{ minutes: 12 }, { days: 2 }, { days: 90 }]) {
    world.advance(time);
    await runTimer(world.start());
  }
}

test("openSession refused by the service, cleaning up fails too -> throws the refusal, and the timer removes the rest", async () => {
  const refusal = new ApiError(503, "ServerBusy", "Busy.");
  for (const step of ["sessions.remove", "expiry.remove", "images.delete"]) {
    const world = createWorld();
    const hook: Hook = ({ name }) => {
      if (name === "face.create") return refusal;
      return name === step ? new InjectedError("cleanup") : undefined;
    };
    await assert.rejects(open(world, hook), refusal);
    await letTimePass(world);
    assertNothingStored(world, `after a failing ${step}`);
  }
});

describe("openSession with an unknown result of the commit", () => {
  for (const when of ["before", "after"] as const) {
    test(`the request fails ${when} its effect and the record cannot be read -> revokes the session`, async () => {
      const world = createWorld();
      const lost: Hook = (moment) => {
        const isLost = (isCommit(moment) && moment.when === when) || moment.name === "sessions.get";
        return isLost ? new InjectedError("injected") : undefined;
      };
      await assert.rejects(open(world, lost), InjectedError);
      assert.equal(world.service.live.size, 0);
      assert.equal(world.tables.records.all().length, when === "after" ? 1 : 0);
      await letTimePass(world);
      assertNothingStored(world);
    });
  }

  test("commit and revocation fail -> throws the error of the commit", async () => {
    const world = createWorld();
    const fails: Hook = (moment) =>
      isCommit(moment) || moment.name === "face.revoke" ? new InjectedError(moment.name) : undefined;
    await assert.rejects(open(world, fails), new InjectedError("sessions.transact"));
    assert.equal(world.service.live.size, 1);
  });
});

describe("openSession with one failing call", async () => {
  const { calls, deps } = createWorld().start();
  await openSession(deps, creation);
  for (const [index, call] of calls.names.entries()) {
    for (const when of ["before", "after"] as const) {
      test(`call ${index + 1}, ${call}, fails ${when} its effect -> no session without a token stays alive`, async () => {
        const world = createWorld();
        const outcome = await world.start(failAt(index + 1, when)).attempt((deps) => openSession(deps, creation));
        // If only the answer of the commit is lost, the record is found and the creation succeeds.
        const isCommitted = when === "after" && index > 0 && call === "sessions.transact";
        assert.ok(isCommitted ? "value" in outcome : "error" in outcome);
        if ("value" in outcome) assert.deepEqual(world.record(), outcome.value.record);
        // If the answer of `face.create` is lost, the id of the session is unknown, so it cannot be revoked.
        const isIdLost = when === "after" && call === "face.create";
        assert.equal(world.service.live.size, isIdLost || isCommitted ? 1 : 0);
        const isTransactionLost = call === "sessions.transact" && (index > 0 || when === "after");
        if (call !== "sessionids.put" && !isTransactionLost && !isIdLost) assertNothingStored(world);
        await letTimePass(world);
        assert.deepEqual(world.tables.records.all(), []);
        assert.equal(world.blobs.images.size, 0);
      });
    }
  }
});
