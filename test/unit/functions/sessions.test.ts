import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { sessionResource, sessionResourceShape } from "../../../src/functions/session-resource.ts";
import { call, createApp, type Sent } from "../fakes/app.ts";
import { failedAttempt, play, realFace } from "../fakes/face-service.ts";
import { clientKey, ownerOf, principal } from "../fakes/principals.ts";
import { newRecord, seedSession } from "../fakes/seed.ts";
import { createWorld, startOfTime, type World } from "../fakes/world.ts";

const service = { headers: clientKey.headers };
const alice = { headers: principal("alice") };
const bob = { headers: principal("bob") };
const codeOf = (json: unknown) => z.object({ error: z.object({ code: z.string() }) }).parse(json).error.code;

const appOf = (world: World) => ({ app: createApp(world.start(), clientKey.settings) });
const read = (world: World, id: string, sent: Sent = service, rest = "") =>
  call(appOf(world), "GET", `/api/sessions/${id}${rest}`, sent);
const settle = (world: World, id: string, json: unknown = {}, sent: Sent = service) =>
  call(appOf(world), "POST", `/api/sessions/${id}/settle`, { ...sent, json });

async function seeded(seed: Parameters<typeof seedSession>[1] = { owner: ownerOf("alice") }) {
  const world = createWorld();
  const { record } = await seedSession(world, seed);
  return { world, id: record.sessionId, record };
}

describe("the session resource", () => {
  test("contains the public fields of a record, and the owner for services only", () => {
    const record = newRecord(startOfTime, {
      clientReferenceId: "an-order",
      referenceImageId: "a-face",
      decision: "accepted",
      reasons: ["RealFace"],
      clientName: "a-service",
      owner: "alice",
      threshold: 0.5,
      clientDigest: "q83v",
      settledOn: "2026-03-01T12:05:00.000Z",
    });
    const shown = {
      sessionId: record.sessionId,
      kind: "liveness",
      deviceCorrelationId: "a-device",
      clientReferenceId: "an-order",
      apiVersion: "v1.2",
      createdOn: "2026-03-01T12:00:00.000Z",
      tokenExpiresOn: "2026-03-01T12:10:00.000Z",
      expiresOn: "2026-03-03T12:00:00.000Z",
      status: "NotStarted",
      attempts: 0,
      final: false,
      decision: "accepted",
      reasons: ["RealFace"],
      attemptsLeft: 3,
      nextAction: "done",
      referenceImageId: "a-face",
    };
    assert.deepEqual(sessionResource(record, { trusted: false }, startOfTime), shown);
    assert.deepEqual(sessionResource(record, { trusted: true }, startOfTime), { ...shown, owner: "alice" });
  });

  test("has no properties for absent values", () => {
    const { deviceCorrelationId: _, ...record } = newRecord(startOfTime);
    const shown = sessionResource(record, { trusted: true }, startOfTime);
    for (const name of ["owner", "deviceCorrelationId", "clientReferenceId", "decision", "referenceImageId"]) {
      assert.equal(name in shown, false, name);
    }
  });
});

describe("reading a session", () => {
  test("reads from the tables only, also after the service has deleted the session", async () => {
    const { world, id, record } = await seeded();
    world.advance({ days: 30 });
    const process = world.start();
    const answer = await call({ app: createApp(process, clientKey.settings) }, "GET", `/api/sessions/${id}`, service);
    assert.deepEqual([answer.status, answer.json], [200, sessionResource(record, { trusted: true }, world.now())]);
    assert.deepEqual(process.calls.names, ["sessionids.get", "sessions.get"]);
  });

  test("works for a deleted or pruned session", async () => {
    const { world, id } = await seeded({ status: "Canceled" });
    await world.start().deps.removals.markPruned(id, "2026-03-01T12:00:00.000Z");
    assert.equal(sessionResourceShape.parse((await read(world, id)).json).status, "Canceled");
  });
});

describe("a session of another user", () => {
  test("404 on every route of a session, and no change", async () => {
    const { world, id } = await seeded();
    play(world.service, id, realFace());
    const before = world.everything();
    const unknown = await read(world, "unknown", alice);
    assert.deepEqual([unknown.status, codeOf(unknown.json)], [404, "SessionNotFound"]);
    const answers = [
      await read(world, id, bob),
      await read(world, id, bob, "/audit-entries"),
      await settle(world, id, { digest: "wrong" }, bob),
    ];
    for (const answer of answers) assert.deepEqual([answer.status, answer.json], [404, unknown.json]);
    assert.deepEqual(world.everything(), before);
    assert.equal((await read(world, id, alice)).status, 200);
    assert.equal((await settle(world, id, {}, alice)).status, 200);
  });
});

describe("settling a session", () => {
  test("returns the outcome, checked against the client's digest", async () => {
    const { world, id } = await seeded();
    play(world.service, id, realFace({ digest: "q83vEg==" }));
    const answer = await settle(world, id, { digest: "q83vEg==", deviceCorrelationId: "a-device" });
    const { decision, reasons, final } = sessionResourceShape.parse(answer.json);
    assert.deepEqual([answer.status, decision, reasons, final], [200, "accepted", ["RealFace"], true]);
    assert.deepEqual((await settle(world, id, { digest: "q83vEg==" })).json, answer.json);
    const swapped = sessionResourceShape.parse((await settle(world, id, { digest: "b3RoZXI=" })).json);
    assert.deepEqual([swapped.decision, swapped.reasons], ["rejected", ["ClientDigestMismatch"]]);
  });

  test("no ended attempt -> SessionNotFinished", async () => {
    const { world, id } = await seeded();
    const answer = await settle(world, id);
    assert.deepEqual([answer.status, codeOf(answer.json)], [409, "SessionNotFinished"]);
    assert.match(answer.headers.get("retry-after") ?? "", /^\d+$/);
    play(world.service, id, failedAttempt());
    assert.equal(sessionResourceShape.parse((await settle(world, id)).json).decision, "inconclusive");
  });

  test("records the client's error, and expiry after the token's end", async () => {
    const { world, id } = await seeded();
    const failed = sessionResourceShape.parse((await settle(world, id, { clientError: "CameraDenied" })).json);
    assert.deepEqual([failed.decision, failed.reasons, failed.final], ["inconclusive", ["ClientError"], false]);
    const late = await seeded();
    late.world.advance({ minutes: 12 });
    assert.equal(sessionResourceShape.parse((await settle(late.world, late.id)).json).status, "Expired");
  });

  test("another device -> DeviceMismatch, and no change", async () => {
    const { world, id } = await seeded();
    play(world.service, id, realFace());
    const before = world.everything();
    const answer = await settle(world, id, { deviceCorrelationId: "another-device" });
    assert.deepEqual([answer.status, codeOf(answer.json)], [409, "DeviceMismatch"]);
    assert.deepEqual(world.everything(), before);
  });

  test("refuses unknown fields, invalid values and other media types", async () => {
    const { world, id } = await seeded();
    for (const json of [
      ...[null, [], "x", 1, { unknown: 1 }, { digest: "" }, { digest: 1 }, { digest: "d".repeat(513) }],
      // Two UTF-16 code units each.
      ...[{ deviceCorrelationId: "\u{1f600}".repeat(33) }, { clientError: "\u{1f600}".repeat(129) }],
      ...[{ deviceCorrelationId: "d".repeat(65) }, { clientError: "" }, { clientError: "\ud800" }, { digest: null }],
    ]) {
      const answer = await settle(world, id, json);
      assert.deepEqual([answer.status, codeOf(answer.json)], [400, "InvalidRequestBody"], JSON.stringify(json));
    }
    const proto = {
      headers: { ...service.headers, "content-type": "application/json" },
      body: '{"__proto__":{"digest":"x"}}',
    };
    assert.equal((await call(appOf(world), "POST", `/api/sessions/${id}/settle`, proto)).status, 400);
    const form = { ...service, body: "digest=1" };
    assert.equal((await call(appOf(world), "POST", `/api/sessions/${id}/settle`, form)).status, 415);
  });

  test("limits the number and length of unknown fields in the details", async () => {
    const { world, id } = await seeded();
    const names = Array.from({ length: 500 }, (_, index) => `${index}`.padEnd(100, "x"));
    for (const number of [1, 500]) {
      const sent = names.slice(0, number);
      const answer = await settle(world, id, Object.fromEntries(sent.map((name) => [name, 1])));
      const details = sent
        .slice(0, 16)
        .map((name) => ({ code: "UnknownField", message: "Unknown field.", target: name.slice(0, 64) }));
      assert.partialDeepStrictEqual(answer.json, { error: { code: "InvalidRequestBody", details } });
      assert.ok(answer.text.length < 5000, `${answer.text.length} characters`);
    }
  });
});

describe("the audit entries of a session", () => {
  test("are returned as stored, newest first", async () => {
    const { world, id } = await seeded();
    assert.deepEqual((await read(world, id, service, "/audit-entries")).json, { value: [] });
    play(world.service, id, failedAttempt("TimedOut"));
    play(world.service, id, realFace());
    await settle(world, id);
    const receivedOn = "2026-03-01T12:00:00.000Z";
    assert.deepEqual((await read(world, id, service, "/audit-entries")).json, {
      value: [
        { entryId: "2", receivedOn, attemptId: 2, attemptStatus: "Succeeded", ...realFace() },
        { entryId: "1", receivedOn, attemptId: 1, attemptStatus: "Failed", ...failedAttempt("TimedOut") },
      ],
    });
  });
});
