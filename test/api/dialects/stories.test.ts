import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import * as z from "zod";
import { type ApiVersion, apiVersions, type SessionKind } from "../../../src/face/model.ts";
import { makeImage } from "../../fixtures/images.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { type AppRequest, assertError, control, createAppClient, playAttempt } from "../support/app-client.ts";
import { type Dialect, dialects, readEntries, readList, sendExactly } from "./dialects.ts";

/** A way in which a session is opened, and what the emulator does meanwhile. */
interface Opening {
  name: string;
  kind: SessionKind;
  /** Whether the image comes with the creation, or stays with the device. */
  image: "none" | "now" | "later";
  settings: { tokenInGet?: boolean; largeAuditIds?: boolean };
  request(dialect: Dialect, fields: object): AppRequest;
}

const image = makeImage();
const imageHash = createHash("sha256").update(image).digest("hex").toUpperCase();
const heldId = `held-${randomUUID()}`;

const openings: Opening[] = [
  {
    name: "liveness",
    kind: "liveness",
    image: "none",
    settings: { tokenInGet: true },
    request: (_dialect, json) => ({ json }),
  },
  {
    name: "verify with an uploaded image",
    kind: "livenessWithVerify",
    image: "now",
    settings: { tokenInGet: true },
    request: (dialect, fields) => ({ body: dialect.form(fields, image) }),
  },
  {
    name: "verify with a held image, and audit ids beyond 2^53",
    kind: "livenessWithVerify",
    image: "now",
    settings: { largeAuditIds: true },
    request: (_dialect, fields) => ({ json: { ...fields, referenceImageId: heldId } }),
  },
  {
    name: "verify with an image that the device submits",
    kind: "livenessWithVerify",
    image: "later",
    settings: {},
    request: (_dialect, json) => ({ json }),
  },
];

const isPossible = ({ image }: Opening, dialect: Dialect, upstream: ApiVersion) =>
  image !== "later" || (dialect.isPreview && upstream !== "v1.2");

for (const upstream of apiVersions) {
  describe(`towards ${upstream}`, () => {
    let stack: Stack;
    before(async () => {
      stack = await startStack({ env: { FACE_API_VERSION: upstream } });
      const put = { method: "PUT", body: image };
      assert.equal((await createAppClient(stack.url).send(`api/reference-images/${heldId}`, put)).status, 201);
    });
    after(() => stack.stop());

    for (const dialect of dialects) {
      for (const opening of openings.filter((each) => isPossible(each, dialect, upstream))) {
        it(`${dialect.version}: ${opening.name}`, () => tellStory(stack, upstream, dialect, opening));
      }
    }
  });
}

const serviceState = z.object({
  sessions: z.array(z.object({ sessionId: z.string(), apiVersion: z.string(), kind: z.string() })),
});

async function tellStory(stack: Stack, upstream: ApiVersion, dialect: Dialect, opening: Opening): Promise<void> {
  const { kind } = opening;
  const otherKind: SessionKind = kind === "liveness" ? "livenessWithVerify" : "liveness";
  const withVerify = kind === "livenessWithVerify";
  const app = createAppClient(stack.url);
  const send = (path: string, request?: AppRequest) => sendExactly(stack.url, path, request);
  const sessionsAtService = async () => serviceState.parse(await control(stack.emulator, "/state")).sessions;
  await control(stack.emulator, "/settings", { tokenInGet: false, largeAuditIds: false, ...opening.settings });

  // Opened.
  const deviceCorrelationId = randomUUID();
  const fields = { livenessOperationMode: "PassiveActive", deviceCorrelationId, authTokenTimeToLiveInSeconds: 3600 };
  const opened = await send(dialect.sessions(kind), opening.request(dialect, fields));
  assert.equal(opened.status, 200, JSON.stringify(opened.body));
  const session = dialect.readCreated(kind, opened.body);
  const { sessionId } = session;
  assert.equal(session.references, opening.image === "now" ? 1 : 0);
  assert.equal(opened.headers.has("x-reference-image-id"), opening.image === "now");
  assert.ok(opened.headers.get("apim-request-id"));
  const tokenExpiresOn = opened.headers.get("x-session-expires-on");
  const there = (await sessionsAtService()).find((each) => each.sessionId === sessionId);
  assert.deepEqual(there, { sessionId, apiVersion: upstream, kind });

  /** The session as the apps of every version see it. */
  const readEverywhere = async () => {
    const all = [];
    for (const each of dialects) {
      const answer = await send(`${each.sessions(kind)}/${sessionId}`);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      assert.equal(JSON.stringify(answer.body).includes(session.authToken), false);
      const told = each.readSession(kind, answer.body);
      if (!each.isPreview && opening.image === "now") assert.equal(told.references, 1);
      all.push({ version: each.version, doneStatus: each.doneStatus, ...told });
    }
    return all;
  };
  for (const { status, attempts } of await readEverywhere()) {
    assert.deepEqual([status, attempts], ["NotStarted", []]);
  }

  // Two attempts fail, one with a code that nobody knows yet; the third has a result.
  const verifyImage = opening.image === "later" ? { verifyImage: image.toString("base64") } : {};
  const failures = ["FaceWithMaskDetected", "SomethingNewWentWrong"];
  for (const [index, scenario] of failures.entries()) {
    await playAttempt(stack.emulator, session, { scenario, ...verifyImage });
    const expected = failures.slice(0, index + 1).map((errorCode) => ({ errorCode }));
    for (const { version, status, attempts } of await readEverywhere()) {
      assert.deepEqual(attempts, version === "v1.2" ? expected : expected.slice(-1), version);
      assert.equal(status, version === "v1.2" ? "Running" : "ResultAvailable", version);
    }
  }
  const match = { matchConfidence: 0.71, isIdentical: true };
  const played = await playAttempt(stack.emulator, session, {
    scenario: "realface",
    ...verifyImage,
    ...(withVerify && { matchConfidence: match.matchConfidence }),
  });
  const { digest } = z.object({ digest: z.string() }).parse(played.body);
  const failed = failures.map((errorCode) => ({ errorCode }));
  // Asked for by the app itself wherever there is one to be had; the oldest version knows of none.
  const isHashed = opening.image === "now" && upstream !== "v1.1-preview.1";
  const resultIn = (version: ApiVersion) => ({
    decision: "realface",
    digest,
    ...(withVerify && { match }),
    ...(isHashed && version !== "v1.1-preview.1" && { verifyImageHash: imageHash }),
  });
  for (const { version, status, doneStatus, attempts, references } of await readEverywhere()) {
    assert.equal(status, doneStatus, version);
    const result = resultIn(version);
    assert.deepEqual(attempts, version === "v1.2" ? [...failed, result] : [result], version);
    assert.equal(references, withVerify ? 1 : 0, version);
  }

  // The audit trail, of which a preview's own result is the last entry.
  const previews = dialects.filter(({ isPreview }) => isPreview);
  for (const preview of previews) {
    const path = `${preview.sessions(kind)}/${sessionId}`;
    const audit = await send(`${path}/audit`);
    const entries = readEntries(audit.body);
    assert.deepEqual(
      entries.map(({ told }) => told),
      [...failed, resultIn(preview.version)],
    );
    const ids = entries.map(({ id }) => id);
    if (opening.settings.largeAuditIds && upstream !== "v1.2") assert.ok(ids.every((id) => BigInt(id) > 2n ** 53n));
    const page = async (query: string) => readEntries((await send(`${path}/audit?${query}`)).body).map(({ id }) => id);
    assert.deepEqual(await page("top=2"), ids.slice(0, 2));
    assert.deepEqual(await page(`start=${ids[0]}&top=1`), ids.slice(1, 2));
    assert.deepEqual(await page(`start=${ids[1]}`), ids.slice(2));
    assert.deepEqual(await page(`start=${ids[2]}`), []);
    const shown = z.object({ result: z.unknown() }).parse((await send(path)).body);
    assert.deepEqual(shown.result, z.array(z.unknown()).parse(audit.body).at(-1));
    assertError(await send(`${preview.sessions(otherKind)}/${sessionId}/audit`), 404, "SessionNotFound");
  }

  // The lists, each of its kind.
  const listed = async (preview: Dialect, ofKind: SessionKind) =>
    readList((await send(preview.sessions(ofKind))).body).filter(({ id }) => id === sessionId);
  for (const preview of previews) {
    const [item, ...more] = await listed(preview, kind);
    assert.equal(more.length, 0);
    assert.partialDeepStrictEqual(item, {
      sessionExpired: false,
      deviceCorrelationId,
      authTokenTimeToLiveInSeconds: fields.authTokenTimeToLiveInSeconds,
    });
    assert.ok(item?.sessionStartDateTime);
    assert.deepEqual(await listed(preview, otherKind), []);
  }

  // Our own resources.
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
    reasons: withVerify ? ["RealFace", "FaceMatched", "ClientDigestMissing"] : ["RealFace", "ClientDigestMissing"],
  });
  assert.deepEqual((await app.outcomes(deviceCorrelationId)).value, [resource]);
  const stored = z
    .object({ value: z.array(z.object({ attemptId: z.int(), attemptStatus: z.string() })) })
    .parse((await send(`api/sessions/${sessionId}/audit-entries`)).body);
  assert.deepEqual(
    stored.value.map(({ attemptId }) => attemptId),
    [1, 2, 3],
  );
  assert.deepEqual(
    stored.value.map(({ attemptStatus }) => attemptStatus),
    ["Failed", "Failed", "Succeeded"],
  );

  // Deleted: gone from every dialect, kept here.
  const path = `${dialect.sessions(kind)}/${sessionId}`;
  assertError(await send(`${dialect.sessions(otherKind)}/${sessionId}`, { method: "DELETE" }), 404, "SessionNotFound");
  const deleted = await send(path, { method: "DELETE" });
  assert.deepEqual([deleted.status, deleted.body], [dialect.deletedStatus, ""]);
  assert.equal(
    (await sessionsAtService()).some((each) => each.sessionId === sessionId),
    false,
  );
  for (const each of dialects) {
    assertError(await send(`${each.sessions(kind)}/${sessionId}`), 404, "SessionNotFound");
    assertError(await send(`${each.sessions(kind)}/${sessionId}`, { method: "DELETE" }), 404, "SessionNotFound");
  }
  for (const preview of previews) {
    assertError(await send(`${preview.sessions(kind)}/${sessionId}/audit`), 404, "SessionNotFound");
    assert.deepEqual(await listed(preview, kind), []);
  }
  assert.deepEqual(await app.session(sessionId), { ...resource, status: "Canceled" });
}
