import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { codecs } from "../../../../src/face/versions/codecs.ts";
import { assertRefused, json, minimalBody, multipart } from "./requests.ts";

describe("fields of v1.3-preview.1", () => {
  const { createRequest } = codecs["v1.3-preview.1"];
  const body = minimalBody("v1.3-preview.1");
  const decode = (fields: object) => createRequest.decode("liveness", json({ ...body, ...fields })).request;
  const decodeForm = (fields: object) => {
    const parts = Object.entries({ ...body, ...fields }).map(([name, content]) => ({ name, content: String(content) }));
    return createRequest.decode("livenessWithVerify", multipart(...parts)).request;
  };

  const addresses = ["203.0.113.24", "203.0.113.0/24", "0.0.0.0/0", "2001:db8::7", "2001:db8::/32"];
  const noAddresses = ["", "203.0.113", "203.0.113.0/33", "203.0.113.1, 203.0.113.2", "example.org", "::/129"];
  for (const [form, read] of [
    ["JSON", decode],
    ["a form", decodeForm],
  ] as const) {
    for (const [field, byDefault, accepted, refused] of [
      ["numberOfClientAttemptsAllowed", 1, [1, 2, 3], [0, 4, 1.5, -1, "many"]],
      ["expectedClientIpAddress", undefined, addresses, noAddresses],
      ["userCorrelationId", "a-user", ["x".repeat(64)], ["", "x".repeat(65)]],
    ] as const) {
      test(`${form}: ${field} has its range and default`, () => {
        assert.equal(read({})[field], byDefault);
        for (const value of accepted) assert.equal(read({ [field]: value })[field], value);
        for (const value of refused) assertRefused(() => read({ [field]: value }), "InvalidRequestBody", field);
      });
    }

    test(`${form}: exactly one of userCorrelationId and userCorrelationIdSetInClient`, () => {
      const both = () => read({ userCorrelationIdSetInClient: true });
      assertRefused(both, "InvalidRequestBody", "userCorrelationId");
    });
  }

  test("a user id is required unless the device sends it", () => {
    const unnamed = { userCorrelationId: undefined };
    assertRefused(() => decode(unnamed), "InvalidRequestBody", "userCorrelationId");
    assert.equal(decode({ ...unnamed, userCorrelationIdSetInClient: true }).userCorrelationId, undefined);
  });
});

describe("responses of v1.3-preview.1", () => {
  const { session, createResponse } = codecs["v1.3-preview.1"];
  const clientInformation = [{ ip: "203.0.113.24" }];
  const flagged = { attemptId: 1, sessionId: "30b1c9d7-6d0e-4a2f-8f55-6a0f1c3e9b77", sessionImageId: "Cz8w" };
  const abuseMonitoringResult = { isAbuseDetected: true, otherFlaggedSessions: [flagged] };
  const facts = { isAbuseMonitoringEnabled: true, expectedClientIpAddress: "203.0.113.0/24" };
  const failed = {
    attemptId: 1,
    attemptStatus: "Failed",
    error: { code: "FaceWithMaskDetected", message: "A mask covers the face." },
    clientInformation,
  };
  const succeeded = {
    attemptId: 2,
    attemptStatus: "Succeeded",
    result: { livenessDecision: "realface", digest: "9A0C" },
    clientInformation,
    abuseMonitoringResult,
  };
  const wire = { sessionId: "s", status: "Succeeded", ...facts, results: { attempts: [succeeded, failed] } };

  test("a session keeps its fields in a round trip, newest attempt first", () => {
    const state = session.decode("liveness", wire);
    assert.equal(state.attempts[0]?.attemptId, 1);
    assert.deepEqual(state.attempts[1]?.abuseMonitoringResult, abuseMonitoringResult);
    assert.deepEqual(session.encode("liveness", state), wire);
  });

  test("a creation keeps its fields in a round trip", () => {
    const created = { sessionId: "s", authToken: "t", status: "NotStarted", ...facts, results: { attempts: [] } };
    assert.deepEqual(createResponse.encode("liveness", createResponse.decode("liveness", created)), created);
  });

  test("older dialects return no address and no finding of abuse monitoring", () => {
    const state = session.decode("liveness", wire);
    const created = { ...facts, sessionId: "s", authToken: "t", verifyReferences: [] };
    for (const version of ["v1.1-preview.1", "v1.2-preview.1", "v1.2"] as const) {
      const encoded = [
        codecs[version].session.encode("liveness", state),
        codecs[version].auditEntries?.encode("s", state.attempts, state),
        codecs[version].createResponse.encode("liveness", created),
      ];
      assert.doesNotMatch(JSON.stringify(encoded), /203\.0|abuse|flagged|clientInformation/i, version);
    }
  });

  test("facts that an older service does not return are left out, not invented", () => {
    const { clientInformation: _, ...attempt } = failed;
    const wireOfOlder = { sessionId: "s", status: "Failed", results: { attempts: [attempt] } };
    const state = codecs["v1.2"].session.decode("liveness", wireOfOlder);
    assert.deepEqual(session.encode("liveness", state), wireOfOlder);
  });
});
