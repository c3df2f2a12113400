import * as fc from "fast-check";
import type { ApiVersion, SessionKind, SessionRequest, VerifyImage } from "../../../../src/face/model.ts";
import { anyRecord } from "../../property.ts";

export const word = fc.stringMatching(/^[A-Za-z0-9.-]{1,40}$/);

/** Well-formed text of at most `maxLength` UTF-16 code units, from all of Unicode. */
export function text(maxLength: number): fc.Arbitrary<string> {
  return fc
    .string({ unit: "binary", minLength: 1, maxLength })
    .filter((value) => value.length <= maxLength && value.isWellFormed());
}

export const kind: fc.Arbitrary<SessionKind> = fc.constantFrom("liveness", "livenessWithVerify");

export const image: fc.Arbitrary<Required<VerifyImage>> = anyRecord({
  bytes: fc.uint8Array({ maxLength: 64 }),
  contentType: fc.constantFrom("image/jpeg", "image/png"),
  filename: fc.constant("image"),
});

const threshold = fc.double({ min: 0, max: 1, noNaN: true }).map((value) => (value === 0 ? 0 : value));

const optionalFields = {
  expectedClientIpAddress: fc.constantFrom("203.0.113.24", "203.0.113.0/24", "2001:db8::7", "2001:db8::/32"),
  sendResultsToClient: fc.boolean(),
  enableSessionImage: fc.boolean(),
  modelVersion: text(128),
  returnVerifyImageHash: fc.boolean(),
  verifyConfidenceThreshold: threshold,
};
type OptionalField = keyof typeof optionalFields;

const ofVerify: OptionalField[] = ["returnVerifyImageHash", "verifyConfidenceThreshold"];
const fieldsByVersion: Record<ApiVersion, OptionalField[]> = {
  "v1.1-preview.1": ["sendResultsToClient"],
  "v1.2-preview.1": ["sendResultsToClient", "enableSessionImage", "modelVersion", ...ofVerify],
  "v1.2": ["enableSessionImage", "modelVersion", ...ofVerify],
  "v1.3-preview.1": ["expectedClientIpAddress", "enableSessionImage", "modelVersion", ...ofVerify],
};

/** A request that `version` supports. */
export function request(version: ApiVersion, ofKind: SessionKind): fc.Arbitrary<SessionRequest> {
  const names = fieldsByVersion[version].filter((name) => ofKind === "livenessWithVerify" || !ofVerify.includes(name));
  const optional = anyRecord({}, optionalFields).map((fields) => {
    for (const name of Object.keys(fields) as OptionalField[]) if (!names.includes(name)) delete fields[name];
    return fields;
  });
  const device = fc.oneof(
    anyRecord({ deviceCorrelationId: text(64), deviceCorrelationIdSetInClient: fc.constant(false) }),
    anyRecord({ deviceCorrelationIdSetInClient: fc.constant(true) }),
  );
  const attempts = { numberOfClientAttemptsAllowed: fc.integer({ min: 1, max: 3 }) };
  const user: fc.Arbitrary<Partial<SessionRequest>> = anyRecord(attempts, { userCorrelationId: text(64) }).map(
    (fields) => ({ ...fields, userCorrelationIdSetInClient: fields.userCorrelationId === undefined }),
  );
  const rest = anyRecord({
    livenessOperationMode: fc.constantFrom<SessionRequest["livenessOperationMode"][]>("Passive", "PassiveActive"),
    authTokenTimeToLiveInSeconds: fc.integer({ min: 60, max: 86_400 }),
  });
  const userOfVersion = version === "v1.3-preview.1" ? user : fc.constant({});
  return fc.tuple(rest, device, optional, userOfVersion).map(([a, b, c, d]) => ({
    ...{ ...a, ...b, ...c, ...d },
    ...(c.modelVersion !== undefined && { modelVersionOf: version }),
  }));
}

/** Unknown fields with JSON values; JSON has no negative zero. */
export const unknownFields: fc.Arbitrary<Record<string, unknown>> = fc
  .dictionary(fc.constantFrom("newField", "another", "constructor"), fc.jsonValue(), { maxKeys: 2 })
  .map((fields) => JSON.parse(JSON.stringify(fields)));

const pixels = fc.nat(4096);
export const faceRectangle = anyRecord({ top: pixels, left: pixels, width: pixels, height: pixels });
export const verifyImage = anyRecord({ faceRectangle, qualityForRecognition: word });

export const previews = ["v1.1-preview.1", "v1.2-preview.1"] as const;
type Preview = (typeof previews)[number];

const verifyResult = anyRecord(
  { matchConfidence: fc.constantFrom(0, 0.25, 1), isIdentical: fc.boolean() },
  { verifyImage },
);
const target = anyRecord({ faceRectangle, fileName: word, timeOffsetWithinFile: fc.nat(), imageType: word });
const outcome = anyRecord({ livenessDecision: word }, { target, modelVersionUsed: word, verifyResult });
const failure = anyRecord({ error: anyRecord({ code: word, message: fc.string() }) });

/** An audit entry of the session `a-session` as `version` writes it, with a result or an error. */
export function wireEntry(version: Preview) {
  const required = {
    id: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    sessionId: fc.constant("a-session"),
    requestId: fc.uuid(),
    clientRequestId: word,
    receivedDateTime: fc.constant("2025-01-01T00:00:00Z"),
    request: anyRecord({ url: word, method: word, contentLength: fc.nat(), contentType: word, userAgent: word }),
    response: anyRecord({
      body: fc.tuple(unknownFields, fc.oneof(outcome, failure)).map(([a, b]) => ({ ...a, ...b })),
      statusCode: fc.constantFrom(200, 400, 500),
      latencyInMilliseconds: fc.nat(),
    }),
    digest: word,
  };
  const ofVersion = version === "v1.1-preview.1" ? {} : { sessionImageId: fc.uuid(), verifyImageHash: word };
  return fc
    .tuple(unknownFields, anyRecord(required, ofVersion))
    .filter(([, { response }]) => "error" in response.body || response.statusCode < 400)
    .map(([a, b]) => ({ ...a, ...b }));
}

/** A session as `version` writes it. */
export function wireSession(version: Preview) {
  const required = { id: fc.constant("a-session"), createdDateTime: fc.constant("2025-01-01T00:00:00Z") };
  const fields = anyRecord(
    { ...required, sessionExpired: fc.boolean() },
    {
      sessionStartDateTime: fc.constant("2025-01-01T00:00:01Z"),
      deviceCorrelationId: word,
      authTokenTimeToLiveInSeconds: fc.nat(86_400),
    },
  );
  const progress = fc.oneof(
    fc.constantFrom({ status: "NotStarted" }, { status: "Started" }),
    wireEntry(version).map((result) => ({ status: "ResultAvailable", result })),
  );
  return fc.tuple(unknownFields, fields, progress).map(([a, b, c]) => ({ ...a, ...b, ...c }));
}
