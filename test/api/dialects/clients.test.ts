import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, describe, test } from "node:test";
import createClient, { isUnexpected } from "@azure/ai-vision-face";
import createOldClient, { isUnexpected as isUnexpectedInOld } from "face-client-v1.1-preview.1";
import { type SessionKind, sessionKinds } from "../../../src/face/model.ts";
import { makeImage } from "../../fixtures/images.ts";
import { type FaceEmulator, startFaceEmulator } from "../../local/emulator/emulator.ts";
import { clientKey } from "../../unit/fakes/principals.ts";
import { playAttempt } from "../support/app-client.ts";
import { checkAnswer } from "../support/described-answers.ts";
import { describeUpstreams } from "../support/open-stack.ts";
import { dialectOf, readEntries, readList } from "./dialects.ts";

/** The official clients against the app, and against the emulator: used as with the service, with another endpoint and key. */

const image = makeImage();

type Options = Omit<NonNullable<Parameters<typeof createClient>[2]>, "apiVersion">;
const plain: Options = { allowInsecureConnection: true };
/** Checks every answer against the API's description. */
const checked: Options["additionalPolicies"] = [
  {
    position: "perRetry",
    policy: {
      name: "checkAnswer",
      async sendRequest(request, next) {
        const response = await next(request);
        const { status, headers, bodyAsText: text } = response;
        checkAnswer(request.method, request.url, { status, headers: new Headers([...headers]), text: text ?? "" });
        return response;
      },
    },
  },
];

await describeUpstreams("the official clients", clientKey.settings, (_upstream, { stack }) => {
  const key = clientKey.headers["ocp-apim-subscription-key"];
  testClients(stack.url, key, { ...plain, additionalPolicies: checked }, stack.emulator);
});

describe("the official clients, the emulator alone", async () => {
  const emulator = await startFaceEmulator();
  after(() => emulator.close());
  testClients(emulator.url, emulator.key, plain, emulator);
});

function testClients(url: string, key: string, options: Options, emulator: FaceEmulator): void {
  const newDevice = () => ({ livenessOperationMode: "Passive", deviceCorrelationId: randomUUID() });

  test("1.0.0-beta.3 in v1.2: liveness", async () => {
    const client = createClient(`${url}/`, { key }, options);
    const opened = await client.path("/detectLiveness-sessions").post({ body: newDevice() });
    if (isUnexpected(opened)) return assert.fail(JSON.stringify(opened.body));
    await playAttempt(emulator, opened.body, { scenario: "FaceWithMaskDetected" });
    await playAttempt(emulator, opened.body, { scenario: "spoofface" });
    const session = client.path("/detectLiveness-sessions/{sessionId}", opened.body.sessionId);
    const got = await session.get();
    if (isUnexpected(got)) return assert.fail(JSON.stringify(got.body));
    const [failed, spoof] = got.body.results.attempts.toSorted((one, other) => one.attemptId - other.attemptId);
    assert.equal(got.body.status, "Succeeded");
    assert.equal(failed?.error?.code, "FaceWithMaskDetected");
    assert.equal(spoof?.result?.livenessDecision, "spoofface");
    assert.ok(spoof.result.digest);
    assert.ok(spoof.result.targets.color.faceRectangle.width > 0);
    assert.equal((await session.delete()).status, "204");
    const gone = await session.get();
    assert.ok(isUnexpected(gone));
    assert.deepEqual([gone.status, gone.body.error.code], ["404", "SessionNotFound"]);
  });

  test("1.0.0-beta.3 in v1.2: liveness with verify", async () => {
    const client = createClient(url, { key }, options);
    const { livenessOperationMode, deviceCorrelationId } = newDevice();
    const opened = await client.path("/detectLivenessWithVerify-sessions").post({
      contentType: "multipart/form-data",
      body: [
        { name: "verifyImage", body: image, filename: "me.jpg", contentType: "image/jpeg" },
        { name: "livenessOperationMode", body: livenessOperationMode },
        { name: "deviceCorrelationId", body: deviceCorrelationId },
        { name: "deviceCorrelationIdSetInClient", body: false },
        { name: "authTokenTimeToLiveInSeconds", body: 900 },
        { name: "verifyConfidenceThreshold", body: 0.8 },
      ],
    });
    if (isUnexpected(opened)) return assert.fail(JSON.stringify(opened.body));
    assert.equal(opened.body.results.verifyReferences[0]?.qualityForRecognition, "high");
    await playAttempt(emulator, opened.body, { scenario: "realface", matchConfidence: 0.79 });
    const session = client.path("/detectLivenessWithVerify-sessions/{sessionId}", opened.body.sessionId);
    const got = await session.get();
    if (isUnexpected(got)) return assert.fail(JSON.stringify(got.body));
    assert.equal(got.body.results.verifyReferences.length, 1);
    const verifyResult = got.body.results.attempts[0]?.result?.verifyResult;
    assert.deepEqual(verifyResult, { matchConfidence: 0.79, isIdentical: false });
    assert.equal((await session.delete()).status, "204");
  });

  for (const version of ["v1.1-preview.1", "v1.2-preview.1"] as const) {
    for (const kind of sessionKinds) {
      test(`1.0.0-beta.3 in ${version}: ${kind}`, async () => {
        const client = createClient(url, { key }, { ...options, apiVersion: version });
        const dialect = dialectOf(version);
        const path = dialect.sessions(kind).replace(`face/${version}`, "");
        const asked = newDevice();
        const opened = await client.pathUnchecked(path).post(formOrJson(kind, asked));
        assert.equal(opened.status, "200", JSON.stringify(opened.body));
        const session = dialect.readCreated(kind, opened.body);
        const { sessionId } = session;
        await playAttempt(emulator, session, { scenario: "ExcessiveFaceBrightness" });
        await playAttempt(emulator, session, { scenario: "realface" });

        const got = await client.pathUnchecked(`${path}/{sessionId}`, sessionId).get();
        const read = dialect.readSession(kind, got.body);
        assert.deepEqual([read.status, read.attempts[0]?.decision], ["ResultAvailable", "realface"]);
        const audit = client.pathUnchecked(`${path}/{sessionId}/audit`, sessionId);
        const [failed] = readEntries((await audit.get({ queryParameters: { top: 1 } })).body);
        assert.equal(failed?.attempt.errorCode, "ExcessiveFaceBrightness");
        const rest = readEntries((await audit.get({ queryParameters: { start: failed.id } })).body);
        assert.deepEqual(
          rest.map(({ attempt }) => attempt.decision),
          ["realface"],
        );
        const listed = readList((await client.pathUnchecked(path).get({ queryParameters: { top: 1000 } })).body);
        assert.equal(listed.find(({ id }) => id === sessionId)?.deviceCorrelationId, asked.deviceCorrelationId);
        const removed = await client.pathUnchecked(`${path}/{sessionId}`, sessionId).delete();
        assert.equal(removed.status, "200");
        assert.equal((await audit.get()).status, "404");
      });
    }
  }

  test("1.0.0-beta.1 in v1.1-preview.1: liveness, page by page", async () => {
    const client = createOldClient(url, { key }, options);
    const path = "/detectLiveness/singleModal/sessions";
    const opened: string[] = [];
    for (let count = 0; count < 3; count += 1) {
      const created = await client.path(path).post({ body: newDevice() });
      if (isUnexpectedInOld(created)) return assert.fail(JSON.stringify(created.body));
      await playAttempt(emulator, created.body, { scenario: "TimedOut" });
      await playAttempt(emulator, created.body, { scenario: "uncertain" });
      opened.push(created.body.sessionId);
    }
    const listed: string[] = [];
    for (let start = ""; ; start = listed.at(-1) ?? "") {
      const page = await client.path(path).get({ queryParameters: { start, top: 2 } });
      if (isUnexpectedInOld(page)) return assert.fail(JSON.stringify(page.body));
      if (page.body.length === 0) break;
      listed.push(...page.body.map(({ id }) => id));
    }
    assert.deepEqual(listed, opened.toSorted());

    const [sessionId = ""] = opened;
    const session = client.path(`${path}/{sessionId}`, sessionId);
    const got = await session.get();
    if (isUnexpectedInOld(got)) return assert.fail(JSON.stringify(got.body));
    assert.equal(got.body.status, "ResultAvailable");
    assert.equal(got.body.result?.response.body.livenessDecision, "uncertain");
    const entries = [];
    for (let start = ""; ; start = String(entries.at(-1)?.id)) {
      const page = await client
        .path(`${path}/{sessionId}/audit`, sessionId)
        .get({ queryParameters: { start, top: 1 } });
      if (isUnexpectedInOld(page)) return assert.fail(JSON.stringify(page.body));
      if (page.body.length === 0) break;
      entries.push(...page.body);
    }
    assert.equal(entries.length, 2);
    assert.deepEqual(entries.at(-1), got.body.result);
    assert.ok(entries.every(({ receivedDateTime }) => !Number.isNaN(Date.parse(receivedDateTime))));
    for (const id of opened) assert.equal((await client.path(`${path}/{sessionId}`, id).delete()).status, "200");
    const gone = await session.get();
    assert.ok(isUnexpectedInOld(gone));
    assert.deepEqual([gone.status, gone.body.error.code], ["404", "SessionNotFound"]);
  });

  test("1.0.0-beta.1 in v1.1-preview.1: liveness with verify", async () => {
    const client = createOldClient(url, { key }, options);
    const path = "/detectLivenessWithVerify/singleModal/sessions";
    const opened = await client.path(path).post({
      contentType: "multipart/form-data",
      body: [
        { name: "VerifyImage", body: image, filename: "me.jpg" },
        { name: "Parameters", body: newDevice() },
      ],
    });
    if (isUnexpectedInOld(opened)) return assert.fail(JSON.stringify(opened.body));
    assert.equal(opened.body.verifyImage?.qualityForRecognition, "high");
    await playAttempt(emulator, opened.body, { scenario: "realface", matchConfidence: 0.97 });
    const { sessionId } = opened.body;
    const audit = await client.path(`${path}/{sessionId}/audit`, sessionId).get();
    if (isUnexpectedInOld(audit)) return assert.fail(JSON.stringify(audit.body));
    const [entry] = audit.body;
    const verified = entry?.response.body.verifyResult;
    assert.deepEqual([verified?.matchConfidence, verified?.isIdentical], [0.97, true]);
    assert.deepEqual(verified?.verifyImage, opened.body.verifyImage);
    assert.equal((await client.path(`${path}/{sessionId}`, sessionId).delete()).status, "200");
  });
}

function formOrJson(kind: SessionKind, fields: object) {
  if (kind === "liveness") return { body: fields };
  return {
    contentType: "multipart/form-data",
    body: [
      { name: "Parameters", body: JSON.stringify(fields), contentType: "application/json" },
      { name: "VerifyImage", body: image, filename: "me.jpg", contentType: "image/jpeg" },
    ],
  };
}
