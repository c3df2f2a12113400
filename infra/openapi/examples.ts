import { errorGuide } from "../../src/error-guide/guide.ts";

/** Example bodies for the OpenAPI document by function name: of requests, and of responses by status. */
type Examples = Record<string, { request?: unknown; answers?: Record<number, unknown> }>;

const deviceCorrelationId = "5b1f7c3e-2f0d-4c6a-9a3e-7d0f4e8b1c22";
const sessionId = "a6e7193e-b638-42e9-903f-eaf60d2b40a5";
const authToken = "eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJhNmU3MTkzZSJ9.c2lnbmF0dXJl";
const modelVersion = "2024-11-15";
const faceRectangle = { top: 316, left: 131, width: 498, height: 677 };
const digest = "B0A803BB7B26F3C8F29CD36030F8E63ED3FAF955FEEF8E01C88AB8FD89CCF761";
const verifyImageHash = "43B7D8E8769533C3290DBD37A84D821B2C28CB4381DF9C6784DBC4AAF7E45018";
const receivedDateTime = "2026-03-05T10:21:42.318Z";

const create = { livenessOperationMode: "PassiveActive", deviceCorrelationId, clientReferenceId: "order-7" };

/** The user id is required in v1.3 and accepted in v1.2. */
const createStable = { ...create, userCorrelationId: "c7d1f0b4-0d6b-4c53-8a57-9a4b3f6e2d21" };
const faceSettings = { livenessAbuseMonitoring: { enabled: false } };
const credential = "a-credential-for-downloads";

const verifyReference = { referenceType: "Color", faceRectangle, qualityForRecognition: "high" };
const attempt = {
  attemptId: 1,
  attemptStatus: "Succeeded",
  result: { livenessDecision: "realface", targets: { color: { faceRectangle } }, digest },
};
const verifyAttempt = {
  ...attempt,
  result: { ...attempt.result, verifyResult: { matchConfidence: 0.93, isIdentical: true }, verifyImageHash },
};

const listed = {
  id: sessionId,
  createdDateTime: "2026-03-05T10:20:11.004Z",
  sessionStartDateTime: "2026-03-05T10:21:20.551Z",
  sessionExpired: false,
  deviceCorrelationId,
  authTokenTimeToLiveInSeconds: 600,
};
const auditEntry = {
  id: 4,
  sessionId,
  requestId: "7e9f1a52-33c4-4a7e-8a55-0f64f6f3b8d1",
  clientRequestId: "c1d0c1a4-5f24-4d0e-b6a5-c2b4f2a8a9f3",
  receivedDateTime,
  request: {
    url: "/face/v1.1-preview.1/detectLiveness/singleModal",
    method: "POST",
    contentType: "multipart/form-data",
  },
  response: {
    body: {
      livenessDecision: "realface",
      target: { faceRectangle, fileName: "content.bin", timeOffsetWithinFile: 0, imageType: "Color" },
      modelVersionUsed: "2022-10-15-preview.04",
    },
    statusCode: 200,
    latencyInMilliseconds: 1098,
  },
  digest,
};

const session = {
  sessionId,
  kind: "liveness",
  deviceCorrelationId,
  clientReferenceId: "order-7",
  apiVersion: "v1.2",
  createdOn: "2026-03-05T10:20:11.004Z",
  tokenExpiresOn: "2026-03-05T10:30:11.004Z",
  expiresOn: "2026-03-07T10:20:11.004Z",
  status: "Succeeded",
  attempts: 1,
  final: true,
  decision: "accepted",
  reasons: ["RealFace"],
  revision: 1,
  attemptsLeft: 0,
  nextAction: "done",
};

const eventId = "019cbd5e-8f2c-7a61-9b3e-2f4f6f1c8d20";
const event = {
  id: eventId,
  type: "liveness.session.decided",
  time: "2026-03-05T10:20:40.236Z",
  subject: `sessions/${sessionId}`,
  data: {
    ...{ sessionId, kind: "liveness", deviceCorrelationId, clientReferenceId: "order-7" },
    ...{ decision: "accepted", reasons: ["RealFace"], final: true, revision: 1 },
  },
  deliveries: [{ receiver: "orders", state: "delivered", triedOn: "2026-03-05T10:20:40.871Z" }],
};

const outcome = {
  sessionId,
  kind: "liveness",
  apiVersion: "v1.2",
  deviceCorrelationId,
  clientReferenceId: "order-7",
  createdOn: "2026-03-05T10:20:11.004Z",
  settledOn: "2026-03-05T10:21:43.004Z",
  decision: "accepted",
  reasons: ["RealFace"],
  final: true,
  revision: 1,
};
const noOutcomes = { outcomes: 0, reasons: {} };
const countOfOne = {
  outcomes: 1,
  decisions: { accepted: { outcomes: 1, reasons: { RealFace: 1 } }, rejected: noOutcomes, inconclusive: noOutcomes },
};

const keptImage = {
  referenceImageId: "alice",
  contentType: "image/jpeg",
  width: 640,
  height: 960,
  sha256: verifyImageHash.toLowerCase(),
  deviceCorrelationId,
};

export const examples: Examples = {
  createLivenessSession: {
    request: createStable,
    answers: { 200: { sessionId, authToken, status: "NotStarted", modelVersion, results: { attempts: [] } } },
  },
  createLivenessWithVerifySession: {
    request: { ...createStable, referenceImageId: "alice" },
    answers: {
      200: {
        sessionId,
        authToken,
        status: "NotStarted",
        modelVersion,
        results: { verifyReferences: [verifyReference], attempts: [] },
      },
    },
  },
  getLivenessSessionResult: {
    answers: { 200: { sessionId, status: "Succeeded", modelVersion, results: { attempts: [attempt] } } },
  },
  getLivenessWithVerifySessionResult: {
    answers: {
      200: {
        sessionId,
        status: "Succeeded",
        modelVersion,
        results: { verifyReferences: [verifyReference], attempts: [verifyAttempt] },
      },
    },
  },
  createLivenessSessionPreview: { request: create, answers: { 200: { sessionId, authToken } } },
  createLivenessWithVerifySessionPreview: {
    request: { ...create, referenceImageId: "alice" },
    answers: { 200: { sessionId, authToken, verifyImage: { faceRectangle, qualityForRecognition: "high" } } },
  },
  getLivenessSessionResultPreview: { answers: { 200: { ...listed, status: "ResultAvailable", result: auditEntry } } },
  getLivenessWithVerifySessionResultPreview: {
    answers: {
      200: {
        ...listed,
        status: "ResultAvailable",
        result: {
          ...auditEntry,
          response: {
            ...auditEntry.response,
            body: {
              ...auditEntry.response.body,
              verifyResult: {
                verifyImage: { faceRectangle, qualityForRecognition: "high" },
                matchConfidence: 0.93,
                isIdentical: true,
              },
            },
          },
        },
      },
    },
  },
  getLivenessSessionsPreview: { answers: { 200: [listed] } },
  getLivenessWithVerifySessionsPreview: { answers: { 200: [listed] } },
  getLivenessSessionAuditEntriesPreview: { answers: { 200: [auditEntry] } },
  getLivenessWithVerifySessionAuditEntriesPreview: { answers: { 200: [auditEntry] } },
  getFaceSettings: { answers: { 200: faceSettings } },
  changeFaceSettings: { request: faceSettings, answers: { 200: faceSettings } },
  getClientAssetsAccessToken: {
    answers: {
      200: {
        expiry: "2026-03-05T11:20:11.004Z",
        accessToken: credential,
        base64AccessToken: Buffer.from(credential).toString("base64"),
      },
    },
  },
  getSession: { answers: { 200: session } },
  settleSession: { request: { digest }, answers: { 200: session } },
  listAuditEntries: { answers: { 200: { value: [{ entryId: "1", receivedOn: receivedDateTime, ...attempt }] } } },
  listDeviceOutcomes: { answers: { 200: { value: [session] } } },
  listUserOutcomes: {
    answers: { 200: { value: [{ ...session, userCorrelationId: createStable.userCorrelationId }] } },
  },
  listOutcomes: {
    answers: {
      200: {
        value: [outcome],
        asOf: "2026-03-05T10:25:00.117Z",
      },
    },
  },
  getStatistics: {
    answers: {
      200: {
        ...{ from: "2026-03-01T00:00:00.000Z", to: "2026-03-08T00:00:00.000Z", asOf: "2026-03-08T09:30:00.092Z" },
        total: countOfOne,
        days: [{ day: "2026-03-05", ...countOfOne }],
      },
    },
  },
  eraseUser: { answers: { 200: { sessions: 2 } } },
  eraseDevice: { answers: { 200: { sessions: 3, referenceImages: 1 } } },
  putReferenceImage: { answers: { 200: keptImage, 201: keptImage } },
  getReferenceImageMetadata: {
    answers: { 200: { ...keptImage, sizeInBytes: 184_213, createdOn: "2026-03-01T08:00:00.000Z" } },
  },
  listEvents: {
    answers: { 200: { value: [event], after: "ZXZlbnRz", asOf: "2026-03-05T10:25:00.000Z" } },
  },
  redeliverEvent: { answers: { 200: event } },
  testWebhook: { answers: { 200: { id: eventId, delivered: false, cause: "Timeout" } } },
  listErrorCodes: { answers: { 200: { value: errorGuide } } },
  getHealth: { answers: { 200: { status: "alive" } } },
  getReadiness: { answers: { 200: { status: "ready" } } },
};
