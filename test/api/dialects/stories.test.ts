import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { before, test } from "node:test";
import { decodeJwt } from "jose";
import * as z from "zod";
import { parseJson } from "../../../src/face/json.ts";
import type { ApiVersion, SessionKind } from "../../../src/face/model.ts";
import type { Stack } from "../../local/stack.ts";
import {
  type Answer,
  assertError,
  control,
  createAppClient,
  createClient,
  emulatorState,
  playAttempt,
} from "../support/app-client.ts";
import { checkAnswer } from "../support/described-answers.ts";
import { describeUpstreams } from "../support/open-stack.ts";
import { type Dialect, dialects, isStable, type ReadAttempt, readEntries, readList, type Send } from "./dialects.ts";
import { heldId, image, type Opening, openings } from "./openings.ts";

const imageHash = createHash("sha256").update(image).digest("hex").toUpperCase();

await describeUpstreams("the story of a session", {}, (upstream, { stack, app }) => {
  before(() => app.send(`api/reference-images/${heldId}`, { method: "PUT", body: image }));

  for (const dialect of dialects) {
    for (const opening of openings) {
      test(`${dialect.version}: ${opening.name}`, () => playStory(stack, upstream, dialect, opening));
    }
  }
});

async function playStory(stack: Stack, upstream: ApiVersion, dialect: Dialect, opening: Opening): Promise<void> {
  await control(stack.emulator, "/settings", { tokenInGet: false, largeAuditIds: false, ...opening.settings });
  const story = await open(stack, upstream, dialect, opening);
  await checkFailures(story);
  const resultIn = await checkResult(story);
  for (const preview of previews) {
    await checkAuditTrail(story, preview, [...failures.map((errorCode) => ({ errorCode })), resultIn(preview.version)]);
    await checkLists(story, preview);
  }
  const resource = await checkOwnResources(story);
  await checkDeletion(story);
  assert.deepEqual(await story.app.session(story.session.sessionId), { ...resource, status: "Canceled" });
}

interface Story {
  stack: Stack;
  app: ReturnType<typeof createAppClient>;
  upstream: ApiVersion;
  dialect: Dialect;
  opening: Opening;
  kind: SessionKind;
  otherKind: SessionKind;
  session: { sessionId: string; authToken: string };
  deviceCorrelationId: string;
  tokenExpiresOn: string;
  /** Does not round numbers: audit ids may be above 2^53. */
  send: Send;
}

const previews = dialects.filter(({ isPreview }) => isPreview);
/** A known and an unknown error code. */
const failures = ["FaceWithMaskDetected", "SomethingNewWentWrong"];
const ttlSeconds = 3600;

async function findAtService(stack: Stack, sessionId: string) {
  const { sessions } = await emulatorState(stack);
  return sessions.find((session) => session.sessionId === sessionId);
}

async function open(stack: Stack, upstream: ApiVersion, dialect: Dialect, opening: Opening): Promise<Story> {
  const { kind, image } = opening;
  const send = createClient(stack.url, {}, checkAnswer, parseJson);
  const deviceCorrelationId = randomUUID();
  const fields = dialect.fields({
    livenessOperationMode: "PassiveActive",
    deviceCorrelationId,
    authTokenTimeToLiveInSeconds: ttlSeconds,
  });
  const { status, body, headers } = await send(dialect.sessions(kind), opening.request(dialect, fields));
  assert.equal(status, 200, JSON.stringify(body));
  const session = dialect.readCreated(kind, body);
  assert.equal(session.references, image === "now" ? 1 : 0);
  assert.equal(headers.has("x-reference-image-id"), image === "now");
  assert.ok(headers.get("apim-request-id"));
  const tokenExpiresOn = headers.get("x-session-expires-on") ?? assert.fail();
  assert.ok(Math.abs(Number(decodeJwt(session.authToken).exp) * 1000 - Date.parse(tokenExpiresOn)) < 5000);
  const { sessionId } = session;
  assert.partialDeepStrictEqual(await findAtService(stack, sessionId), { sessionId, apiVersion: upstream, kind });
  return {
    stack,
    app: createAppClient(stack.url),
    upstream,
    dialect,
    opening,
    kind,
    otherKind: kind === "liveness" ? "livenessWithVerify" : "liveness",
    session,
    deviceCorrelationId,
    tokenExpiresOn,
    send,
  };
}

/** The session in the answers of every dialect. */
async function readEverywhere({ opening, kind, session, send }: Story) {
  const all = [];
  for (const { version, isPreview, doneStatus, sessions, readSession } of dialects) {
    const answer = await send(`${sessions(kind)}/${session.sessionId}`);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.equal(JSON.stringify(answer.body).includes(session.authToken), false);
    const read = readSession(kind, answer.body);
    // In the previews only a result has the verify image.
    if (!isPreview && opening.image === "now") assert.equal(read.references, 1);
    all.push({ version, doneStatus, ...read });
  }
  return all;
}

function play({ stack, opening, session }: Story, attempt: Record<string, unknown>): Promise<Answer> {
  const later = opening.image === "later" && { verifyImage: image.toString("base64") };
  return playAttempt(stack.emulator, session, { ...attempt, ...later });
}

async function checkFailures(story: Story): Promise<void> {
  for (const { status, attempts } of await readEverywhere(story)) {
    assert.deepEqual([status, attempts], ["NotStarted", []]);
  }
  for (const [index, scenario] of failures.entries()) {
    await play(story, { scenario });
    const expected = failures.slice(0, index + 1).map((errorCode) => ({ errorCode }));
    for (const { version, status, attempts } of await readEverywhere(story)) {
      assert.deepEqual(attempts, isStable(version) ? expected : expected.slice(-1), version);
      assert.equal(status, isStable(version) ? "Running" : "ResultAvailable", version);
    }
  }
}

/** Resolves with the expected result in each version. */
async function checkResult(story: Story): Promise<(version: ApiVersion) => ReadAttempt> {
  const withVerify = story.kind === "livenessWithVerify";
  const match = { matchConfidence: 0.71, isIdentical: true };
  const played = await play(story, {
    scenario: "realface",
    ...(withVerify && { matchConfidence: match.matchConfidence }),
  });
  const { digest } = z.object({ digest: z.string() }).parse(played.body);
  // The app always requests the hash; the oldest version has none.
  const isHashed = story.opening.image === "now" && story.upstream !== "v1.1-preview.1";
  const resultIn = (version: ApiVersion): ReadAttempt => ({
    decision: "realface",
    digest,
    ...(withVerify && { match }),
    ...(isHashed && version !== "v1.1-preview.1" && { verifyImageHash: imageHash }),
  });
  const failed = failures.map((errorCode) => ({ errorCode }));
  for (const { version, status, doneStatus, attempts, references } of await readEverywhere(story)) {
    const result = resultIn(version);
    assert.equal(status, doneStatus, version);
    assert.deepEqual(attempts, isStable(version) ? [...failed, result] : [result], version);
    assert.equal(references, withVerify ? 1 : 0, version);
  }
  return resultIn;
}

/** Checks the audit trail. Its last entry is the session's result. */
async function checkAuditTrail(story: Story, preview: Dialect, trail: ReadAttempt[]): Promise<void> {
  const { opening, upstream, kind, otherKind, session, send } = story;
  const path = `${preview.sessions(kind)}/${session.sessionId}`;
  const { body } = await send(`${path}/audit`);
  const entries = readEntries(body);
  assert.deepEqual(
    entries.map(({ attempt }) => attempt),
    trail,
  );
  const ids = entries.map(({ id }) => id);
  if (opening.settings.largeAuditIds && !isStable(upstream)) assert.ok(ids.every((id) => BigInt(id) > 2n ** 53n));
  const page = async (query: string) => readEntries((await send(`${path}/audit?${query}`)).body).map(({ id }) => id);
  assert.deepEqual(await page("top=2"), ids.slice(0, 2));
  assert.deepEqual(await page(`start=${ids[0]}&top=1`), ids.slice(1, 2));
  assert.deepEqual(await page(`start=${ids[1]}`), ids.slice(2));
  assert.deepEqual(await page(`start=${ids[2]}`), []);
  const { result } = z.object({ result: z.unknown() }).parse((await send(path)).body);
  assert.deepEqual(result, z.array(z.unknown()).parse(body).at(-1));
  assertError(await send(`${preview.sessions(otherKind)}/${session.sessionId}/audit`), 404, "SessionNotFound");
}

async function listed({ send, session }: Story, preview: Dialect, kind: SessionKind) {
  return readList((await send(preview.sessions(kind))).body).filter(({ id }) => id === session.sessionId);
}

/**
 * A list item has the fields of the session, and is in the list of its kind only. The list has no start time for sessions
 * of v1.2, which has no lists.
 */
async function checkLists(story: Story, preview: Dialect): Promise<void> {
  const { dialect, kind, otherKind, session, send, deviceCorrelationId } = story;
  const items = await listed(story, preview, kind);
  assert.equal(items.length, 1);
  const { body } = await send(`${preview.sessions(kind)}/${session.sessionId}`);
  const { status: _status, result: _result, ...item } = z.record(z.string(), z.unknown()).parse(body);
  const { sessionStartDateTime: _start, ...withoutStart } = item;
  assert.deepEqual(items[0], dialect.isPreview ? item : withoutStart);
  assert.equal(item.deviceCorrelationId, deviceCorrelationId);
  assert.equal(item.authTokenTimeToLiveInSeconds, ttlSeconds);
  assert.ok(item.sessionStartDateTime);
  assert.deepEqual(await listed(story, preview, otherKind), []);
}

async function checkOwnResources(story: Story) {
  const { app, dialect, kind, session, send, deviceCorrelationId, tokenExpiresOn } = story;
  const { sessionId } = session;
  const resource = await app.session(sessionId);
  assert.partialDeepStrictEqual(resource, {
    kind,
    deviceCorrelationId,
    apiVersion: dialect.version,
    tokenExpiresOn,
    status: "Succeeded",
    attempts: 3,
    final: true,
    decision: "accepted",
    reasons: ["RealFace", ...(kind === "liveness" ? [] : ["FaceMatched"]), "ClientDigestMissing"],
  });
  assert.deepEqual((await app.outcomes(deviceCorrelationId)).value, [resource]);
  const entry = z.object({ attemptId: z.int(), attemptStatus: z.string() });
  const { body } = await send(`api/sessions/${sessionId}/audit-entries`);
  assert.deepEqual(z.object({ value: z.array(entry) }).parse(body).value, [
    { attemptId: 3, attemptStatus: "Succeeded" },
    { attemptId: 2, attemptStatus: "Failed" },
    { attemptId: 1, attemptStatus: "Failed" },
  ]);
  return resource;
}

/** A deleted session is deleted at the service and in every dialect. */
async function checkDeletion(story: Story): Promise<void> {
  const { stack, dialect, kind, otherKind, session, send } = story;
  const { sessionId } = session;
  const remove = (each: Dialect, ofKind: SessionKind) =>
    send(`${each.sessions(ofKind)}/${sessionId}`, { method: "DELETE" });
  assertError(await remove(dialect, otherKind), 404, "SessionNotFound");
  const deleted = await remove(dialect, kind);
  assert.deepEqual([deleted.status, deleted.body], [dialect.deletedStatus, ""]);
  assert.equal(await findAtService(stack, sessionId), undefined);
  for (const each of dialects) {
    assertError(await send(`${each.sessions(kind)}/${sessionId}`), 404, "SessionNotFound");
    assertError(await remove(each, kind), 404, "SessionNotFound");
  }
  for (const preview of previews) {
    assertError(await send(`${preview.sessions(kind)}/${sessionId}/audit`), 404, "SessionNotFound");
    assert.deepEqual(await listed(story, preview, kind), []);
  }
}
