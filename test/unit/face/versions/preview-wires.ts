import * as fc from "fast-check";
import { faceRectangle, plain, unknownFields, verifyImage, word } from "./arbitraries.ts";

export const previews = ["v1.1-preview.1", "v1.2-preview.1"] as const;
type Preview = (typeof previews)[number];

const verifyResult = fc.record(
  { verifyImage, matchConfidence: fc.constantFrom(0, 0.25, 1), isIdentical: fc.boolean() },
  { ...plain, requiredKeys: ["matchConfidence", "isIdentical"] },
);

const outcome = fc.record(
  {
    livenessDecision: word,
    target: fc.record({ faceRectangle, fileName: word, timeOffsetWithinFile: fc.nat(), imageType: word }, plain),
    modelVersionUsed: word,
    verifyResult,
  },
  { ...plain, requiredKeys: ["livenessDecision"] },
);

const failure = fc.record({ error: fc.record({ code: word, message: fc.string() }, plain) }, plain);

/** An audit entry as `version` writes it, with a result or an error. */
export function wireEntry(version: Preview, sessionId: string) {
  const ofVersion = version === "v1.1-preview.1" ? {} : { sessionImageId: fc.uuid(), verifyImageHash: word };
  const required = fc.record(
    {
      id: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      sessionId: fc.constant(sessionId),
      requestId: fc.uuid(),
      clientRequestId: word,
      receivedDateTime: fc.constant("2025-01-01T00:00:00Z"),
      request: fc.record(
        { url: word, method: word, contentLength: fc.nat(), contentType: word, userAgent: word },
        plain,
      ),
      response: fc.record(
        {
          body: fc.tuple(unknownFields, fc.oneof(outcome, failure)).map(([a, b]) => ({ ...a, ...b })),
          statusCode: fc.constantFrom(200, 400, 500),
          latencyInMilliseconds: fc.nat(),
        },
        plain,
      ),
      digest: word,
    },
    plain,
  );
  const optional = fc.record(ofVersion, { ...plain, requiredKeys: [] });
  return fc
    .tuple(unknownFields, optional, required)
    .filter(([, , { response }]) => "error" in response.body || response.statusCode < 400)
    .map(([a, b, c]) => ({ ...a, ...b, ...c }));
}

/** A session as `version` writes it. */
export function wireSession(version: Preview) {
  const fields = fc.record(
    {
      id: fc.constant("a-session"),
      createdDateTime: fc.constant("2025-01-01T00:00:00Z"),
      sessionStartDateTime: fc.constant("2025-01-01T00:00:01Z"),
      sessionExpired: fc.boolean(),
      deviceCorrelationId: word,
      authTokenTimeToLiveInSeconds: fc.nat(86_400),
    },
    { ...plain, requiredKeys: ["id", "createdDateTime", "sessionExpired"] },
  );
  const progress = fc.oneof(
    fc.constantFrom({ status: "NotStarted" }, { status: "Started" }),
    wireEntry(version, "a-session").map((result) => ({ status: "ResultAvailable", result })),
  );
  return fc.tuple(unknownFields, fields, progress).map(([a, b, c]) => ({ ...a, ...b, ...c }));
}
