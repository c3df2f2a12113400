import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BodyPart, RequestBody } from "../../../../src/face/codec.ts";
import { codecs } from "../../../../src/face/versions/codecs.ts";
import { assertRefused } from "./refusals.ts";

const json = (value: unknown): RequestBody => ({ type: "json", value });
const multipart = (...parts: BodyPart[]): RequestBody => ({ type: "multipart", parts });

describe("fields of v1.3-preview.1", () => {
  const { createRequest } = codecs["v1.3-preview.1"];
  const body = { livenessOperationMode: "Passive", deviceCorrelationId: "d", userCorrelationId: "u" };
  const decode = (fields: object) => createRequest.decode("liveness", json({ ...body, ...fields })).request;
  const decodeForm = (fields: object) => {
    const parts = Object.entries({ ...body, ...fields }).map(([name, content]) => ({ name, content: String(content) }));
    return createRequest.decode("livenessWithVerify", multipart(...parts)).request;
  };

  for (const [form, read] of [
    ["JSON", decode],
    ["a form", decodeForm],
  ] as const) {
    test(`${form}: one attempt unless the caller asks for two or three`, () => {
      assert.equal(read({}).numberOfClientAttemptsAllowed, 1);
      for (const count of [1, 2, 3]) {
        assert.equal(read({ numberOfClientAttemptsAllowed: count }).numberOfClientAttemptsAllowed, count);
      }
      for (const count of [0, 4, 1.5, -1, "many"]) {
        const refused = () => read({ numberOfClientAttemptsAllowed: count });
        assertRefused(refused, "InvalidRequestBody", "numberOfClientAttemptsAllowed");
      }
    });

    test(`${form}: the expected address is one IP address or one CIDR block`, () => {
      for (const address of ["203.0.113.24", "203.0.113.0/24", "0.0.0.0/0", "2001:db8::7", "2001:db8::/32"]) {
        assert.equal(read({ expectedClientIpAddress: address }).expectedClientIpAddress, address);
      }
      for (const address of ["", "203.0.113", "203.0.113.0/33", "203.0.113.1, 203.0.113.2", "example.org", "::/129"]) {
        const refused = () => read({ expectedClientIpAddress: address });
        assertRefused(refused, "InvalidRequestBody", "expectedClientIpAddress");
      }
    });

    test(`${form}: exactly one of userCorrelationId and userCorrelationIdSetInClient`, () => {
      assert.deepEqual(read({}).userCorrelationId, "u");
      const both = () => read({ userCorrelationIdSetInClient: true });
      assertRefused(both, "InvalidRequestBody", "userCorrelationId");
      for (const id of ["", "x".repeat(65)]) {
        assertRefused(() => read({ userCorrelationId: id }), "InvalidRequestBody", "userCorrelationId");
      }
    });
  }

  test("a user id is required unless the device sends it", () => {
    const { userCorrelationId: _, ...unnamed } = body;
    const decodeUnnamed = (fields: object) => createRequest.decode("liveness", json({ ...unnamed, ...fields })).request;
    assertRefused(() => decodeUnnamed({}), "InvalidRequestBody", "userCorrelationId");
    assert.equal(decodeUnnamed({ userCorrelationIdSetInClient: true }).userCorrelationId, undefined);
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
    assert.deepEqual(
      state.attempts.map(({ attemptId }) => attemptId),
      [1, 2],
    );
    assert.deepEqual(state.attempts[1]?.abuseMonitoringResult, abuseMonitoringResult);
    assert.deepEqual(session.encode("liveness", state), wire);
  });

  test("a creation keeps its fields in a round trip", () => {
    const created = { sessionId: "s", authToken: "t", status: "NotStarted", ...facts, results: { attempts: [] } };
    assert.deepEqual(createResponse.encode("liveness", createResponse.decode("liveness", created)), created);
  });

  test("older dialects return no address and no finding of abuse monitoring", () => {
    const state = session.decode("liveness", wire);
    for (const version of ["v1.1-preview.1", "v1.2-preview.1", "v1.2"] as const) {
      const encoded = [
        codecs[version].session.encode("liveness", state),
        codecs[version].auditEntries?.encode("s", state.attempts, state),
        codecs[version].createResponse.encode("liveness", {
          ...facts,
          sessionId: "s",
          authToken: "t",
          verifyReferences: [],
        }),
      ];
      assert.doesNotMatch(JSON.stringify(encoded), /203\.0|abuse|flagged|clientInformation/i, version);
    }
  });

  test("facts that an older service does not return are left out, not invented", () => {
    const older = codecs["v1.2"].session.decode("liveness", {
      sessionId: "s",
      status: "Failed",
      results: { attempts: [{ attemptId: 1, attemptStatus: "Failed", error: failed.error }] },
    });
    const { clientInformation: _, ...attempt } = failed;
    assert.deepEqual(session.encode("liveness", older), {
      sessionId: "s",
      status: "Failed",
      results: { attempts: [attempt] },
    });
  });
});
