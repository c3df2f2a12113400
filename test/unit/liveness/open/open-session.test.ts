import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../../../src/errors.ts";
import { heldImageName } from "../../../../src/liveness/images/find-image.ts";
import { inspectImage } from "../../../../src/liveness/images/inspect-image.ts";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { writePlace } from "../../../../src/storage/rows/keys.ts";
import { makeImage } from "../../../fixtures/images.ts";
import { runTimerAfter } from "../../fakes/app.ts";
import { failAt, type Hook, InjectedError, type Moment } from "../../fakes/calls.ts";
import { tokenOf } from "../../fakes/face-service.ts";
import { assertNothingStored, command, createWorld, trusted, type World } from "../../fakes/world.ts";

const bytes = makeImage({ type: "png", width: 300, height: 400 });
const facts = inspectImage(bytes);
const image = { bytes, contentType: "image/jpeg", filename: "face.jpg" };
const alice: Caller = { trusted: false, owner: "alice" };

const open = (world: World, options?: Parameters<typeof command>[0]) =>
  openSession(world.start().deps, command(options));

async function hold(world: World, referenceImageId: string, of: Uint8Array = bytes, caller = trusted): Promise<void> {
  const name = heldImageName(caller, referenceImageId);
  await world.start().deps.images.put(name, { bytes: of, facts: inspectImage(of) });
}

describe("openSession", () => {
  test("order of its calls -> takes a place, creates the session at the service, commits", async () => {
    const { calls, deps } = createWorld().start();
    await openSession(deps, command());
    const [place, ...rest] = calls.names;
    assert.equal(place, "sessions.transact");
    assert.deepEqual(rest.slice(0, 2).sort(), ["expiry.put", "face.create"]);
    assert.deepEqual(rest.slice(2).sort(), ["sessionids.put", "sessions.transact"]);
  });

  test("token -> returned and not stored", async () => {
    const world = createWorld();
    const opened = await open(world, { image, clientReferenceId: "an-order" });
    assert.equal(opened.created.authToken, tokenOf(opened.created.sessionId));
    assert.equal(opened.requestId, "request-1");
    assert.equal(JSON.stringify(world.everything()).includes("secret-token"), false);
    assert.equal(JSON.stringify(opened.record).includes("secret-token"), false);
  });

  test("record -> contains the request and the response of the service", async () => {
    const world = createWorld();
    const request = { authTokenTimeToLiveInSeconds: 60, livenessOperationMode: "PassiveActive" } as const;
    const caller = { ...trusted, owner: "alice" };
    const { record } = await open(world, { request, clientReferenceId: "an-order", caller });
    assert.deepEqual(record, {
      ...{ creationId: "c0ffee00-0000-4000-8000-000000000001", sessionId: "5e551011-0000-4000-8000-000000000001" },
      ...{ kind: "liveness", deviceCorrelationId: "a-device", clientReferenceId: "an-order" },
      ...{ apiVersion: "v1.2", upstreamVersion: "v1.2", status: "NotStarted", attempts: 0, final: false, reasons: [] },
      ...{ createdOn: "2026-03-01T12:00:00.000Z", tokenExpiresOn: "2026-03-01T12:01:00.000Z" },
      ...{ expiresOn: "2026-03-03T12:00:00.000Z", ttlSeconds: 60 },
      ...{ clientName: "a-service", owner: "alice", countedFor: "services" },
    });
    assert.deepEqual(world.tables.records.all()[0]?.value, {
      ...record,
      idempotencyRowKey: "k_c0ffee00-0000-4000-8000-000000000001",
      expiryPartition: world.tables.expiry.all()[0]?.partition,
    });
  });

  test("rows -> key, pointer, expiry row and guard refer to the session", async () => {
    const world = createWorld();
    const { record } = await open(world);
    const { creationId, sessionId } = record;
    const { partition, row, value } = world.tables.records.all()[0] ?? assert.fail();
    const { idempotencyRowKey } = value;
    assert.equal(partition, "a-device");
    const [key] = world.tables.keys.all();
    assert.deepEqual([key?.partition, key?.row], [partition, idempotencyRowKey]);
    assert.deepEqual([key?.value.creationId, key?.value.sessionId], [creationId, sessionId]);
    const [pointer] = world.tables.pointers.all();
    assert.deepEqual([pointer?.value.partition, pointer?.value.row], [partition, row]);
    const due = world.tables.expiry.all().map(({ value }) => value);
    const place = writePlace({ partition, idempotencyRowKey });
    const { createdOn } = record;
    assert.deepEqual(due, [{ creationId, createdOn, phase: "collect", dueOn: "2026-03-01T12:12:00.000Z", place }]);
    const counted = world.tables.guards.all().map(({ value }) => value.recent);
    assert.deepEqual(counted, [[createdOn]]);
  });

  test("request to the service -> contains the parameters of the command", async () => {
    const world = createWorld();
    const request = { enableSessionImage: true, authTokenTimeToLiveInSeconds: 86_400 };
    const { created } = await open(world, { request });
    const session = world.service.live.get(created.sessionId);
    assert.deepEqual([session?.kind, session?.image], ["liveness", undefined]);
    assert.deepEqual({ ...session?.request, ...request }, session?.request);
  });
});

describe("openSession with an uploaded verify image", () => {
  test("invalid image -> 400 before any call", async () => {
    const { calls, deps } = createWorld().start();
    for (const [broken, code] of [
      [Buffer.alloc(2048), "InvalidImage"],
      [makeImage({ width: 35 }), "InvalidImage"],
      [makeImage({ sizeInBytes: 1023 }), "InvalidImageSize"],
    ] as const) {
      const creation = command({ image: { ...image, bytes: broken } });
      await assert.rejects(openSession(deps, creation), { name: "ApiError", status: 400, code });
    }
    assert.deepEqual(calls.names, []);
  });

  test("valid image -> sent unchanged and stored under the creation id", async () => {
    const world = createWorld();
    const { created, record } = await open(world, { image, caller: { ...trusted, owner: "alice" } });
    assert.deepEqual(Buffer.from(world.service.live.get(created.sessionId)?.image?.bytes ?? []), bytes);
    assert.deepEqual([record.referenceImageId, record.referenceImageHash], [record.creationId, facts.sha256]);
    const [[name, stored] = assert.fail()] = world.blobs.images;
    assert.equal(name, `sessions/${record.creationId}`);
    assert.deepEqual(Buffer.from(stored.bytes), bytes);
    const bound = { contentType: "image/png", deviceCorrelationId: "a-device", owner: "alice" };
    assert.partialDeepStrictEqual(stored.facts, { sha256: facts.sha256, ...bound });
  });
});

describe("openSession with a held reference image", () => {
  const notFound = { name: "ApiError", status: 400, code: "ReferenceImageNotFound" };

  test("image exists -> sent to the service, not stored again", async () => {
    const world = createWorld();
    await hold(world, "a-face");
    const process = world.start();
    const { created, record } = await openSession(process.deps, command({ referenceImageId: "a-face" }));
    const sent = world.service.live.get(created.sessionId)?.image;
    assert.deepEqual([Buffer.from(sent?.bytes ?? []), sent?.contentType], [bytes, "image/png"]);
    assert.deepEqual([record.referenceImageId, record.referenceImageHash], ["a-face", facts.sha256]);
    assert.deepEqual(process.calls.names.slice(0, 2).sort(), ["images.get", "sessions.transact"], "in parallel");
    assert.equal(process.calls.names.includes("images.put"), false);
  });

  test("same id held by user and services -> the image of the caller's namespace is used", async () => {
    const world = createWorld();
    const others = makeImage({ type: "png", width: 300, height: 400 }, 1);
    await hold(world, "a-face", bytes, alice);
    await hold(world, "a-face", others, trusted);
    const usedFor = async (caller: Caller) => {
      const { created } = await open(world, { referenceImageId: "a-face", caller });
      return Buffer.from(world.service.live.get(created.sessionId)?.image?.bytes ?? []);
    };
    assert.deepEqual(await usedFor(alice), bytes);
    assert.deepEqual(await usedFor(trusted), others);
    assert.deepEqual(await usedFor({ ...trusted, owner: "alice" }), others, "the key makes the user a service");
    await assert.rejects(usedFor({ trusted: false, owner: "bob" }), notFound);
  });

  test("image of another namespace -> same calls and error as for a missing image", async () => {
    const world = createWorld();
    await hold(world, "a-face");
    await hold(world, "alices", bytes, alice);
    for (const field of ["referenceImageId", "expectedReferenceImageId"]) {
      const steps = async (id: string) => {
        const { calls, deps } = world.start();
        const bob: Caller = { trusted: false, owner: "bob" };
        const creation = command({ kind: "livenessWithVerify", caller: bob, [field]: id });
        const face = { ...deps.face, version: "v1.2-preview.1" } as const;
        await assert.rejects(openSession({ ...deps, face }, creation), notFound);
        return calls.names;
      };
      const missing = await steps("missing");
      for (const taken of ["a-face", "alices"]) assert.deepEqual(await steps(taken), missing, `${field} ${taken}`);
    }
  });

  test("image missing -> 400 ReferenceImageNotFound, and no rows are left", async () => {
    const world = createWorld();
    const process = world.start();
    await assert.rejects(openSession(process.deps, command({ referenceImageId: "missing" })), notFound);
    assertNothingStored(world);
    assert.equal(world.service.opened, 0);
    // The creation takes a place and releases it: the key row, and the guard, which then counts nothing.
    const names = ["images.get", "sessions.get", "sessions.remove", "sessions.remove", "sessions.transact"];
    assert.deepEqual([...process.calls.names].sort(), names);
  });
});

const uploading = command({ image });

const upload = (world: World, hook: Hook) => openSession(world.start(hook).deps, uploading);

/** The commit is the second transaction of a creation. */
const isCommit = ({ name, nth }: Moment) => name === "sessions.transact" && nth === 2;

/** Runs the timer when collecting, pruning and purging are due. */
const letTimePass = (world: World) => runTimerAfter(world, { minutes: 12 }, { days: 2 }, { days: 90 });

test("openSession refused by the service, cleaning up fails too -> throws the refusal, and the timer removes the rest", async () => {
  const refusal = new ApiError(503, "ServerBusy", "Busy.");
  for (const step of ["sessions.remove", "expiry.remove", "images.delete"]) {
    const world = createWorld();
    const hook: Hook = ({ name }) => {
      if (name === "face.create") return refusal;
      return name === step ? new InjectedError("cleanup") : undefined;
    };
    await assert.rejects(upload(world, hook), refusal);
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
      await assert.rejects(upload(world, lost), InjectedError);
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
    await assert.rejects(upload(world, fails), new InjectedError("sessions.transact"));
    assert.equal(world.service.live.size, 1);
  });
});

describe("openSession with one failing call", async () => {
  const { calls, deps } = createWorld().start();
  await openSession(deps, uploading);
  for (const [index, call] of calls.names.entries()) {
    for (const when of ["before", "after"] as const) {
      test(`call ${index + 1}, ${call}, fails ${when} its effect -> no session without a token stays alive`, async () => {
        const world = createWorld();
        const outcome = await world.start(failAt(index + 1, when)).attempt((deps) => openSession(deps, uploading));
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
