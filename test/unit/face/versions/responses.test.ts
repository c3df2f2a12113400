import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import * as z from "zod";
import { shapesOf } from "../../../../infra/openapi/face-shapes.ts";
import { parseJson } from "../../../../src/face/json.ts";
import {
  type Attempt,
  type AttemptResult,
  apiVersions,
  type CreatedSession,
  type SessionListItem,
  type SessionState,
  sessionKinds,
  type VerifyReference,
} from "../../../../src/face/model.ts";
import { codecs } from "../../../../src/face/versions/codecs.ts";
import documented from "../../../fixtures/face-docs/create-requests.json" with { type: "json" };
import fields from "../../../fixtures/face-docs/fields.json" with { type: "json" };
import { anyRecord, testProperty } from "../../property.ts";
import {
  faceRectangle,
  kind,
  previews,
  unknownFields,
  verifyImage,
  wireEntry,
  wireSession,
  word,
} from "./arbitraries.ts";

/** The value after a round trip through JSON. */
const overTheWire = (value: unknown) => JSON.parse(JSON.stringify(value));
const extra = unknownFields.filter((names) => Object.keys(names).length > 0);

const verifyReference: fc.Arbitrary<VerifyReference> = anyRecord(
  { referenceType: word, faceRectangle, qualityForRecognition: word },
  { extra },
);
const verifyReferences = fc.array(verifyReference, { maxLength: 2 });

const result: fc.Arbitrary<AttemptResult> = anyRecord(
  {},
  {
    livenessDecision: word,
    targets: anyRecord({ color: anyRecord({ faceRectangle }) }),
    digest: word,
    sessionImageId: fc.uuid(),
    verifyResult: anyRecord({ matchConfidence: fc.constantFrom(0, 0.5, 1), isIdentical: fc.boolean() }),
    verifyImageHash: word,
    extra,
  },
);
const error = anyRecord({ code: word, message: fc.string() }, { targets: fc.constant({ color: {} }), extra });
const attempts: fc.Arbitrary<Attempt[]> = fc
  .array(anyRecord({ attemptStatus: word }, { result, error, extra }), { maxLength: 4 })
  .map((list) => list.map((attempt, index) => ({ ...attempt, attemptId: index + 1 })));

describe("responses of v1.2", () => {
  const codec = codecs["v1.2"];

  const created: fc.Arbitrary<CreatedSession> = anyRecord(
    { sessionId: fc.uuid(), authToken: word, verifyReferences },
    { modelVersion: word, extra },
  );
  testProperty("a created session round-trips", [kind, created], (ofKind, session) => {
    const wire = overTheWire(codec.createResponse.encode(ofKind, session));
    assert.deepEqual(codec.createResponse.decode(ofKind, wire), session);
  });

  const besideResults = extra.map((beside) => ({ ...beside, results: { averages: [1] } }));
  const state: fc.Arbitrary<SessionState> = anyRecord(
    { sessionId: fc.uuid(), status: word, attempts, verifyReferences },
    { modelVersion: word, extra: besideResults },
  );
  testProperty("a session round-trips; attempts are sorted", [state], (session) => {
    const shuffled = { ...session, attempts: session.attempts.toReversed() };
    const wire = overTheWire(codec.session.encode("livenessWithVerify", shuffled));
    assert.deepEqual(codec.session.decode("livenessWithVerify", wire), session);
  });

  test("no field of the documented response becomes extra", () => {
    const { body } = fields.response;
    const state = codec.session.decode("livenessWithVerify", body);
    const { authToken, ...withoutToken } = body;
    assert.equal(state.authToken, authToken);
    assert.doesNotMatch(JSON.stringify(state), /"extra"/);
    assert.deepEqual(codec.session.encode("livenessWithVerify", state), withoutToken);
  });

  test("null is treated as absent", () => {
    const attempt = { attemptId: 1, attemptStatus: "Failed", error: { code: "TimedOut", message: "" } };
    const results = { verifyReferences: null, attempts: [{ ...attempt, result: null }] };
    const state = { sessionId: "s", status: "Failed" };
    const decoded = codec.session.decode("liveness", { ...state, modelVersion: null, results });
    assert.deepEqual(decoded, { ...state, attempts: [attempt] });
  });

  test("a created session requires only id and token", () => {
    const created = { sessionId: "s", authToken: "t", verifyReferences: [] };
    assert.deepEqual(codec.createResponse.decode("liveness", { sessionId: "s", authToken: "t" }), created);
  });

  test("other bodies are refused", () => {
    const attempt = { attemptId: 1, attemptStatus: "Succeeded" };
    const state = { sessionId: "s", status: "NotStarted", results: { attempts: [] } };
    assert.ok(codec.session.decode("liveness", state));
    for (const wire of [
      undefined,
      "text",
      [],
      { ...state, sessionId: "" },
      { ...state, status: 1 },
      { ...state, results: undefined },
      { ...state, results: {} },
      { ...state, results: { attempts: [{ ...attempt, attemptId: "1" }] } },
      { ...state, results: { attempts: [{ ...attempt, result: { verifyResult: { isIdentical: true } } }] } },
      { ...state, results: { attempts: [{ ...attempt, error: { code: "x" } }] } },
    ]) {
      assert.throws(() => codec.session.decode("liveness", wire));
    }
    assert.throws(() => codec.createResponse.decode("liveness", { sessionId: "s" }));
    assert.throws(() => codec.createResponse.decode("liveness", { sessionId: "s", authToken: "" }));
  });
});

for (const version of previews) {
  describe(`responses of ${version}`, () => {
    const { createResponse, session, auditEntries, list } = codecs[version];

    test("the documented response to a creation is decoded", () => {
      for (const { path, response } of documented.filter((entry) => entry.path.includes(version))) {
        const created = createResponse.decode("livenessWithVerify", response);
        assert.deepEqual(created, { ...response, verifyReferences: [] }, path);
        assert.deepEqual(createResponse.encode("livenessWithVerify", created), response);
      }
    });

    const wire = anyRecord({ sessionId: fc.uuid(), authToken: word }, { verifyImage });
    testProperty("a created session round-trips", [kind, wire, unknownFields], (ofKind, known, unknown) => {
      const body = { ...unknown, ...known };
      assert.deepEqual(createResponse.encode(ofKind, createResponse.decode(ofKind, body)), body);
    });

    testProperty("a session round-trips with its latest audit entry", [kind, wireSession(version)], (ofKind, body) => {
      assert.deepEqual(session.encode(ofKind, session.decode(ofKind, body)), body);
    });

    const entries = fc.uniqueArray(wireEntry(version), { maxLength: 4, selector: ({ id }) => id });
    testProperty("audit entries round-trip, sorted by id", [entries], (body) => {
      const decoded = auditEntries?.decode(body) ?? [];
      for (const [index, { attemptId }] of decoded.entries()) assert.equal(attemptId, index + 1);
      const sorted = body.toSorted((a, b) => a.id - b.id);
      assert.deepEqual(auditEntries?.encode("a-session", decoded), sorted);
      assert.deepEqual(auditEntries?.encode("a-session", decoded.toReversed()), sorted);
    });

    test("64-bit ids keep all digits", () => {
      const ids = ["9223372036854775806", "9007199254740993", "9223372036854775807", "7"];
      const text = `[${ids.map((id) => `{"id":${id},"response":{}}`).join()}]`;
      const decoded = auditEntries?.decode(parseJson(text)) ?? [];
      const sorted = ["7", "9007199254740993", "9223372036854775806", "9223372036854775807"];
      const decodedIds = decoded.map((attempt) => attempt.audit?.id);
      assert.deepEqual(decodedIds, sorted);
      const encoded = JSON.stringify(auditEntries?.encode("a-session", decoded));
      for (const id of sorted) assert.ok(encoded.includes(`"id":${id},`), id);
    });

    test("an entry without a result is a failed or running attempt", () => {
      const decode = (response: object) => auditEntries?.decode([{ id: 1, response, digest: "d" }])[0];
      const error = { code: "FaceWithMaskDetected", message: "m" };
      const audit = (statusCode: number) => ({ id: "1", statusCode, extra: { digest: "d" } });
      const failed = { attemptId: 1, attemptStatus: "Failed", error, audit: audit(400) };
      assert.deepEqual(decode({ body: { error }, statusCode: 400 }), failed);
      assert.equal(decode({ body: null, statusCode: 500 })?.error?.code, "500");
      const running = { attemptId: 1, attemptStatus: "Running", audit: audit(200) };
      assert.deepEqual(decode({ body: {}, statusCode: 200 }), running);
    });

    const times = { createdDateTime: word, authTokenTimeToLiveInSeconds: fc.nat(86_400) };
    const item: fc.Arbitrary<SessionListItem> = anyRecord(
      { sessionId: fc.uuid(), sessionExpired: fc.boolean(), ...times },
      { sessionStartDateTime: word, deviceCorrelationId: word },
    );
    testProperty("a list round-trips", [fc.array(item, { maxLength: 3 })], (items) => {
      const body = list?.encode(items);
      assert.deepEqual(list?.decode(body), items);
      assert.ok(Array.isArray(body) && body.every((row) => "id" in row && !("sessionId" in row)));
    });

    test("other bodies are refused", () => {
      assert.throws(() => session.decode("liveness", { id: "s" }));
      const stable = { sessionId: "s", status: "NotStarted", results: { attempts: [] } };
      assert.throws(() => session.decode("liveness", stable));
      assert.throws(() => auditEntries?.decode({ value: [] }));
      assert.throws(() => auditEntries?.decode([{ id: "x", response: {} }]));
      assert.throws(() => list?.decode([{}]));
      assert.throws(() => createResponse.decode("liveness", { authToken: "t" }));
    });
  });
}

test("no encoded session contains a token, wherever the service sends one", () => {
  const token = "eyJhbGciOiJFUzI1NiIsIm";
  const stable = { sessionId: "s", authToken: token, status: "NotStarted", results: { attempts: [] } };
  const preview = { id: "s", authToken: token, status: "NotStarted", createdDateTime: "c", sessionExpired: false };
  for (const from of Object.values(codecs)) {
    const state = from.session.decode("liveness", from.auditEntries === undefined ? stable : preview);
    assert.equal(state.authToken, token);
    for (const to of Object.values(codecs)) {
      assert.doesNotMatch(JSON.stringify(to.session.encode("liveness", state)), /authToken|eyJ/);
    }
  }
});

test("no schema of a session response has the token", () => {
  for (const version of apiVersions) {
    for (const kind of sessionKinds) {
      const { $defs } = z.toJSONSchema(shapesOf(version, kind).session, { io: "input" });
      const named = Object.entries($defs ?? {}).filter(([id]) => id.startsWith("Session_"));
      assert.equal(named.length, 1);
      for (const [, { properties }] of named) assert.equal(Object.hasOwn(properties ?? {}, "authToken"), false);
    }
  }
});
