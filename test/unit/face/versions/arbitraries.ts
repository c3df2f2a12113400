import * as fc from "fast-check";
import type { ApiVersion, SessionKind, SessionRequest, VerifyImage } from "../../../../src/face/model.ts";

export const plain = { noNullPrototype: true } as const;
export const word = fc.stringMatching(/^[A-Za-z0-9.-]{1,40}$/);

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
  plain,
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
  const optional = fc.record(optionalFields, { ...plain, requiredKeys: [] }).map((fields) => {
    for (const name of Object.keys(fields) as OptionalField[]) if (!names.includes(name)) delete fields[name];
    return fields;
  });
  const device = fc.oneof(
    fc.record({ deviceCorrelationId: text(64), deviceCorrelationIdSetInClient: fc.constant(false) }),
    fc.record({ deviceCorrelationIdSetInClient: fc.constant(true) }),
  );
  const user: fc.Arbitrary<Partial<SessionRequest>> = fc
    .record(
      { userCorrelationId: text(64), numberOfClientAttemptsAllowed: fc.integer({ min: 1, max: 3 }) },
      { ...plain, requiredKeys: ["numberOfClientAttemptsAllowed"] },
    )
    .map((fields) => ({ ...fields, userCorrelationIdSetInClient: fields.userCorrelationId === undefined }));
  const rest = fc.record({
    livenessOperationMode: fc.constantFrom<SessionRequest["livenessOperationMode"][]>("Passive", "PassiveActive"),
    authTokenTimeToLiveInSeconds: fc.integer({ min: 60, max: 86_400 }),
  });
  const userOfVersion = version === "v1.3-preview.1" ? user : fc.constant({});
  return fc.tuple(rest, device, optional, userOfVersion).map(([a, b, c, d]) => ({
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

const pixels = fc.nat(4096);
export const faceRectangle = fc.record({ top: pixels, left: pixels, width: pixels, height: pixels }, plain);
export const verifyImage = fc.record({ faceRectangle, qualityForRecognition: word }, plain);

/** The value after a round trip through JSON. */
export function overTheWire(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
