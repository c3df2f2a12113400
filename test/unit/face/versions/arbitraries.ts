import * as fc from "fast-check";
import type { ApiVersion, SessionKind, SessionRequest, VerifyImage } from "../../../../src/face/model.ts";

/** Well-formed text of at most `maxLength` UTF-16 code units, from all of Unicode. */
export function text(maxLength: number): fc.Arbitrary<string> {
  return fc
    .string({ unit: "binary", minLength: 1, maxLength })
    .filter((value) => value.length <= maxLength && value.isWellFormed());
}

export const kind: fc.Arbitrary<SessionKind> = fc.constantFrom("liveness", "livenessWithVerify");

export const image: fc.Arbitrary<Required<VerifyImage>> = fc.record(
  {
    bytes: fc.uint8Array({ maxLength: 64 }),
    contentType: fc.constantFrom("image/jpeg", "image/png"),
    filename: fc.constant("image"),
  },
  { noNullPrototype: true },
);

const threshold = fc.double({ min: 0, max: 1, noNaN: true }).map((value) => (value === 0 ? 0 : value));

const optionalFields = {
  expectedClientIpAddress: fc.constantFrom("203.0.113.24", "203.0.113.0/24", "2001:db8::7", "2001:db8::/32"),
  sendResultsToClient: fc.boolean(),
  enableSessionImage: fc.boolean(),
  modelVersion: text(128),
  returnVerifyImageHash: fc.boolean(),
  verifyConfidenceThreshold: threshold,
};

const optionalNames = [
  "expectedClientIpAddress",
  "sendResultsToClient",
  "enableSessionImage",
  "modelVersion",
  "returnVerifyImageHash",
  "verifyConfidenceThreshold",
] as const;

const fieldsByVersion: Record<ApiVersion, Record<SessionKind, (typeof optionalNames)[number][]>> = {
  "v1.1-preview.1": {
    liveness: ["sendResultsToClient"],
    livenessWithVerify: ["sendResultsToClient"],
  },
  "v1.2-preview.1": {
    liveness: ["sendResultsToClient", "enableSessionImage", "modelVersion"],
    livenessWithVerify: [
      "sendResultsToClient",
      "enableSessionImage",
      "modelVersion",
      "returnVerifyImageHash",
      "verifyConfidenceThreshold",
    ],
  },
  "v1.2": {
    liveness: ["enableSessionImage", "modelVersion"],
    livenessWithVerify: ["enableSessionImage", "modelVersion", "returnVerifyImageHash", "verifyConfidenceThreshold"],
  },
  "v1.3-preview.1": {
    liveness: ["expectedClientIpAddress", "enableSessionImage", "modelVersion"],
    livenessWithVerify: [
      "expectedClientIpAddress",
      "enableSessionImage",
      "modelVersion",
      "returnVerifyImageHash",
      "verifyConfidenceThreshold",
    ],
  },
};

/** A request that `version` supports. */
export function request(version: ApiVersion, ofKind: SessionKind): fc.Arbitrary<SessionRequest> {
  const optional = fc.record(optionalFields, { requiredKeys: [], noNullPrototype: true }).map((fields) => {
    for (const name of optionalNames) if (!fieldsByVersion[version][ofKind].includes(name)) delete fields[name];
    return fields;
  });
  const device = fc.oneof(
    fc.record({ deviceCorrelationId: text(64), deviceCorrelationIdSetInClient: fc.constant(false) }),
    fc.record({ deviceCorrelationIdSetInClient: fc.constant(true) }),
  );
  const user: fc.Arbitrary<Partial<SessionRequest>> =
    version === "v1.3-preview.1"
      ? fc
          .record(
            {
              userCorrelationId: text(64),
              numberOfClientAttemptsAllowed: fc.integer({ min: 1, max: 3 }),
            },
            { requiredKeys: ["numberOfClientAttemptsAllowed"], noNullPrototype: true },
          )
          .map((fields) => ({ ...fields, userCorrelationIdSetInClient: fields.userCorrelationId === undefined }))
      : fc.constant({});
  const rest = fc.record({
    livenessOperationMode: fc.constantFrom<SessionRequest["livenessOperationMode"][]>("Passive", "PassiveActive"),
    authTokenTimeToLiveInSeconds: fc.integer({ min: 60, max: 86_400 }),
  });
  return fc.tuple(rest, device, optional, user).map(([a, b, c, d]) => ({
    ...a,
    ...b,
    ...c,
    ...d,
    ...(c.modelVersion !== undefined && { modelVersionOf: version }),
  }));
}

/** Unknown fields with JSON values; JSON has no negative zero. */
export const unknownFields: fc.Arbitrary<Record<string, unknown>> = fc
  .dictionary(fc.constantFrom("newField", "another", "constructor"), fc.jsonValue(), { maxKeys: 2 })
  .map((fields) => JSON.parse(JSON.stringify(fields)));

export const faceRectangle = fc.record(
  {
    top: fc.nat(4096),
    left: fc.nat(4096),
    width: fc.nat(4096),
    height: fc.nat(4096),
  },
  { noNullPrototype: true },
);

/** The value after a round trip through JSON. */
export function overTheWire(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
