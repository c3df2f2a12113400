import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import * as z from "zod";
import { type SessionKind, sessionKinds } from "../../../src/face/model.ts";
import { clientKey, principal } from "../../unit/fakes/principals.ts";
import { assertError, createAppClient, errorOf } from "../support/app-client.ts";
import { describeUpstreams, type OpenStack } from "../support/open-stack.ts";
import { createIn, dialectOf, dialects, openIn } from "./dialects.ts";

/** Addresses of the device and findings of abuse monitoring, which only v1.3-preview.1 upstream has. */

const v13 = dialectOf("v1.3-preview.1");
const [inside, outside] = ["203.0.113.24", "198.51.100.7"];
const expected = "203.0.113.0/24";
/** Sessions of another person, which abuse monitoring flags. */
const others = [{ attemptId: 1, sessionId: randomUUID(), sessionImageId: `image-of-${randomUUID()}` }];
const newFields =
  /isAbuseMonitoringEnabled|expectedClientIpAddress|clientInformation|abuseMonitoringResult|userCorrelationId/;

const attemptsShape = z.array(
  z.looseObject({ clientInformation: z.unknown().optional(), abuseMonitoringResult: z.unknown().optional() }),
);
const sessionShape = z.looseObject({ results: z.looseObject({ attempts: attemptsShape }) });
const entriesShape = z.object({ value: attemptsShape });

type Client = ReturnType<typeof createAppClient>;

await describeUpstreams("addresses and abuse monitoring", clientKey.settings, (upstream, opened) => {
  const service = createAppClient(opened.stack.url, clientKey.headers);
  for (const kind of sessionKinds) {
    if (upstream === v13.version) testMonitored(opened, service, kind);
    else testUnmonitored(opened, service, kind);
  }
});

function testMonitored({ stack, play: attempt, emulatorState }: OpenStack, app: Client, kind: SessionKind): void {
  const user = createAppClient(stack.url, principal("alice"));
  const seen = kind === "liveness" ? ["RealFace"] : ["RealFace", "FaceMatched"];
  const open = (client = app, more: object = {}, dialect = v13) => openIn(dialect, client, kind, more);
  const play = (session: { sessionId: string; authToken: string }, more: object) =>
    attempt(session, { scenario: "realface", ...more });
  const read = async (client: Client, sessionId: string) =>
    sessionShape.parse((await client.send(`${v13.sessions(kind)}/${sessionId}`)).body);
  const entries = async (client: Client, sessionId: string) =>
    entriesShape.parse((await client.send(`api/sessions/${sessionId}/audit-entries`)).body).value;
  const outcome = async (sessionId: string) => {
    const { decision, reasons, nextAction } = await app.session(sessionId);
    return [decision, reasons.filter((reason) => reason !== "ClientDigestMissing"), nextAction];
  };

  test(`${kind}: an expected address is returned, and attempts from it are accepted`, async () => {
    for (const expectedClientIpAddress of [inside, expected, "::ffff:203.0.113.0/120"]) {
      const { sessionId, created, authToken } = await open(app, { expectedClientIpAddress });
      await play({ sessionId, authToken }, { clientIp: inside });
      const session = await read(app, sessionId);
      for (const answer of [z.looseObject({}).parse(created), session]) {
        assert.equal(answer.expectedClientIpAddress, expectedClientIpAddress);
        assert.equal(answer.isAbuseMonitoringEnabled, true);
      }
      const [attempt] = session.results.attempts;
      assert.deepEqual(attempt?.clientInformation, [{ ip: inside }]);
      assert.deepEqual(attempt?.abuseMonitoringResult, { isAbuseDetected: false, otherFlaggedSessions: [] });
      const [entry] = await entries(app, sessionId);
      assert.deepEqual(entry?.clientInformation, [{ ip: inside }]);
      assert.deepEqual(await outcome(sessionId), ["accepted", seen, "done"]);
    }
  });

  test(`${kind}: a result from elsewhere is rejected for good, a failed attempt from there is not`, async () => {
    const session = await open(app, { expectedClientIpAddress: expected });
    await play(session, { scenario: "TimedOut", clientIp: outside });
    await app.settle(session.sessionId);
    assert.deepEqual(await outcome(session.sessionId), ["inconclusive", ["AttemptsFailed"], "retry"]);
    await play(session, { clientIp: outside });
    await app.settle(session.sessionId);
    const rejected = ["rejected", ["ClientIpMismatch"], "done"];
    assert.deepEqual(await outcome(session.sessionId), rejected);
    await play(session, { clientIp: inside });
    await app.settle(session.sessionId);
    await read(app, session.sessionId);
    assert.deepEqual(await outcome(session.sessionId), rejected);
    const path = `${v13.sessions(kind)}/${session.sessionId}`;
    assert.equal((await app.send(path, { method: "DELETE" })).status, 204);
    await app.settle(session.sessionId);
    assert.deepEqual((await outcome(session.sessionId)).slice(0, 2), rejected.slice(0, 2));
  });

  test(`${kind}: an attempt that changes its address is rejected`, async () => {
    const session = await open(app, { expectedClientIpAddress: expected });
    await play(session, { scenario: "running", clientIp: inside });
    await play(session, { clientIp: outside });
    await app.settle(session.sessionId);
    assert.deepEqual(await outcome(session.sessionId), ["rejected", ["ClientIpMismatch"], "done"]);
  });

  test(`${kind}: an address that is none -> 400 that names the field`, async () => {
    for (const expectedClientIpAddress of ["203.0.113.24:443", "::1%eth0"]) {
      const answer = await createIn(v13, app, kind, { expectedClientIpAddress });
      assertError(answer, 400, "InvalidRequestBody");
      const { details, message } = errorOf(answer);
      assert.deepEqual(
        details?.map(({ target }) => target),
        ["expectedClientIpAddress"],
      );
      const text = JSON.stringify([details, message]);
      assert.equal(text.includes(expectedClientIpAddress), false, text);
    }
  });

  for (const dialect of dialects) {
    test(`${kind}, ${dialect.version}: a finding of abuse reaches the decision and the audit entries`, async () => {
      const session = await open(app, {}, dialect);
      const { sessionId } = session;
      await play(session, { clientIp: inside, abuse: { otherFlaggedSessions: others } });
      for (const reader of dialects) {
        const path = `${reader.sessions(kind)}/${sessionId}`;
        const { body } = await app.send(path);
        reader.readSession(kind, body);
        const audit = reader.isPreview ? (await app.send(`${path}/audit`)).body : [];
        const text = JSON.stringify([body, audit]);
        const isOlder = reader.version !== "v1.3-preview.1";
        assert.equal(newFields.test(text), !isOlder, reader.version);
        assert.equal(text.includes(inside), !isOlder, reader.version);
        assert.equal(text.includes(others[0]?.sessionId ?? "-"), !isOlder, reader.version);
      }
      assert.deepEqual(await outcome(sessionId), ["inconclusive", [...seen, "AbuseDetected"], "review"]);
      const finding = { isAbuseDetected: true, otherFlaggedSessions: others };
      assert.deepEqual((await read(app, sessionId)).results.attempts[0]?.abuseMonitoringResult, finding);
      assert.deepEqual((await entries(app, sessionId))[0]?.abuseMonitoringResult, finding);
    });

    test(`${kind}, ${dialect.version}: a user does not learn of flagged sessions of others`, async () => {
      const session = await open(user, {}, dialect);
      const { sessionId } = session;
      const { body } = await play(session, { abuse: { otherFlaggedSessions: others } });
      const { digest } = z.object({ digest: z.string() }).parse(body);
      const finding = { isAbuseDetected: true, otherFlaggedSessions: [] };
      // Before and after the digest, which shows the user everything else of the attempt.
      for (const report of [{}, { digest }, { digest: "other" }]) {
        const answers: unknown[] = [await user.settle(sessionId, report), await entries(user, sessionId)];
        for (const reader of dialects) {
          const path = `${reader.sessions(kind)}/${sessionId}`;
          answers.push((await user.send(path)).body);
          if (reader.isPreview) answers.push((await user.send(`${path}/audit`)).body);
        }
        const text = JSON.stringify(answers);
        for (const { sessionId: id, sessionImageId } of others) {
          assert.equal(text.includes(id), false);
          assert.equal(text.includes(sessionImageId), false);
        }
        assert.deepEqual((await entries(user, sessionId))[0]?.abuseMonitoringResult, finding);
        assert.deepEqual((await read(user, sessionId)).results.attempts[0]?.abuseMonitoringResult, finding);
      }
      const [entry] = await entries(app, sessionId);
      assert.deepEqual(entry?.abuseMonitoringResult, { ...finding, otherFlaggedSessions: others });
    });
  }

  test(`${kind}: rejections keep their reason, failed attempts with a finding need a person`, async () => {
    const spoof = await open(app);
    await play(spoof, { scenario: "spoofface", abuse: true });
    await app.settle(spoof.sessionId);
    assert.deepEqual(await outcome(spoof.sessionId), ["rejected", ["SpoofDetected", "AbuseDetected"], "review"]);
    const failed = await open(app);
    await play(failed, { scenario: "TimedOut", abuse: true });
    await app.settle(failed.sessionId);
    assert.deepEqual(await outcome(failed.sessionId), ["inconclusive", ["AttemptsFailed", "AbuseDetected"], "review"]);
    await play(failed, {});
    await app.settle(failed.sessionId);
    assert.deepEqual(await outcome(failed.sessionId), ["inconclusive", [...seen, "AbuseDetected"], "review"]);
  });

  test(`${kind}: a user id is derived for older dialects: the same for a device, and never its id`, async () => {
    const deviceCorrelationId = `device-${randomUUID()}`;
    const ids: string[] = [];
    for (const dialect of dialects.slice(0, 3)) {
      const { sessionId } = await open(app, { deviceCorrelationId }, dialect);
      const { sessions } = await emulatorState();
      ids.push(sessions.find((session) => session.sessionId === sessionId)?.userCorrelationId ?? "");
      assert.equal((await app.session(sessionId)).userCorrelationId, undefined);
    }
    const [first = ""] = ids;
    assert.match(first, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.deepEqual(ids, [first, first, first]);
  });
}

function testUnmonitored({ play }: OpenStack, app: Client, kind: SessionKind): void {
  test(`${kind}: an expected address is refused, also if it is invalid`, async () => {
    const answer = await createIn(v13, app, kind, { expectedClientIpAddress: expected });
    assertError(answer, 400, "NotSupportedByUpstreamVersion");
    assert.ok(errorOf(answer).message.includes("expectedClientIpAddress"));
    assertError(await createIn(v13, app, kind, { expectedClientIpAddress: "nowhere" }), 400, "InvalidRequestBody");
  });

  test(`${kind}: answers of v1.3-preview.1 leave out what the service does not return`, async () => {
    const session = await openIn(v13, app, kind);
    await play(session, { scenario: "realface", clientIp: inside });
    const answers = [session.created, (await app.send(`${v13.sessions(kind)}/${session.sessionId}`)).body];
    answers.push((await app.send(`api/sessions/${session.sessionId}/audit-entries`)).body);
    assert.doesNotMatch(JSON.stringify(answers), newFields);
    assert.equal((await app.session(session.sessionId)).decision, "accepted");
  });
}
