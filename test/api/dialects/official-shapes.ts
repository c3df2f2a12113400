import type {
  LivenessSessionOutput as StableSession,
  LivenessWithVerifySessionOutput as StableVerifySession,
} from "@azure/ai-vision-face";
import type {
  CreateLivenessWithVerifySessionResultOutput,
  LivenessSessionAuditEntryOutput,
  LivenessSessionItemOutput,
  LivenessWithVerifySessionOutput,
} from "face-client-v1.1-preview.1";
import * as z from "zod";

/**
 * Answers in the types of the official client libraries: a field that is required there is required here, or this does not
 * compile. Clients with those types read such fields without a check.
 */

const faceRectangle = z.object({ top: z.number(), left: z.number(), width: z.number(), height: z.number() });
const decision = z.enum(["realface", "spoofface", "uncertain"]);
const time = z.iso.datetime({ offset: true });
const quality = z.enum(["low", "medium", "high"]);
const targets = z.object({ color: z.object({ faceRectangle }) });
const verifyImage = z.object({ faceRectangle, qualityForRecognition: quality });
const match = { matchConfidence: z.number(), isIdentical: z.boolean() };

export const previewCreated: z.ZodType<CreateLivenessWithVerifySessionResultOutput> = z.object({
  sessionId: z.uuid(),
  authToken: z.jwt(),
  verifyImage: verifyImage.exactOptional(),
});

/** A number of the types. Digits that no number holds exactly are text. */
const int64 = z.union([
  z.int(),
  z
    .string()
    .regex(/^\d{16,19}$/)
    .transform(Number),
]);

export const previewEntry: z.ZodType<LivenessSessionAuditEntryOutput> = z.object({
  id: int64,
  sessionId: z.uuid(),
  requestId: z.string(),
  clientRequestId: z.string(),
  receivedDateTime: time,
  request: z.object({
    url: z.string(),
    method: z.string(),
    contentLength: z.int().exactOptional(),
    contentType: z.string(),
    userAgent: z.string().exactOptional(),
  }),
  response: z.object({
    body: z.looseObject({
      livenessDecision: decision.exactOptional(),
      target: z
        .object({
          faceRectangle,
          fileName: z.string(),
          timeOffsetWithinFile: z.number(),
          imageType: z.enum(["Color", "Infrared", "Depth"]),
        })
        .exactOptional(),
      modelVersionUsed: z.string().exactOptional(),
      verifyResult: z.object({ verifyImage, ...match }).exactOptional(),
    }),
    statusCode: z.int(),
    latencyInMilliseconds: z.number(),
  }),
  digest: z.string(),
});
export const previewEntries = z.array(previewEntry);

const item = {
  id: z.uuid(),
  createdDateTime: time,
  sessionStartDateTime: time.exactOptional(),
  sessionExpired: z.boolean(),
  deviceCorrelationId: z.string().exactOptional(),
  authTokenTimeToLiveInSeconds: z.int(),
};
const listItem: z.ZodType<LivenessSessionItemOutput> = z.object(item);
export const previewList = z.array(listItem);

export const previewSession: z.ZodType<LivenessWithVerifySessionOutput> = z
  .object({
    ...item,
    status: z.enum(["NotStarted", "Started", "ResultAvailable"]),
    result: previewEntry.exactOptional(),
  })
  .refine(
    ({ status, result }) => (status === "ResultAvailable") === (result !== undefined),
    "result goes with its status",
  );

const state = z.enum(["NotStarted", "Running", "Succeeded", "Failed", "Canceled"]);
const stableError = z.object({ code: z.string(), message: z.string() });
const stableResult = {
  livenessDecision: decision.exactOptional(),
  targets,
  digest: z.string(),
  sessionImageId: z.string().exactOptional(),
};

/** The types require the targets of an error. A preview upstream does not return them. */
type WithoutErrorTargets<Session extends StableSession | StableVerifySession> = Omit<
  Session,
  "authToken" | "results"
> & {
  results: Omit<Session["results"], "attempts"> & {
    attempts: (Omit<Session["results"]["attempts"][number], "error"> & { error?: { code: string; message: string } })[];
  };
};

/** The types have a token in GET. The app never returns it. */
export const stableSession: z.ZodType<WithoutErrorTargets<StableSession>> = z.object({
  sessionId: z.uuid(),
  authToken: z.undefined().exactOptional(),
  status: state,
  modelVersion: z.string().exactOptional(),
  results: z.object({
    attempts: z.array(
      z.object({
        attemptId: z.int().min(1),
        attemptStatus: state,
        result: z.object(stableResult).exactOptional(),
        error: stableError.exactOptional(),
      }),
    ),
  }),
});

const verifyReferences = z.array(
  z.object({
    referenceType: z.enum(["Color", "Infrared", "Depth"]),
    faceRectangle,
    qualityForRecognition: quality,
  }),
);

export const stableVerifySession: z.ZodType<WithoutErrorTargets<StableVerifySession>> = z.object({
  sessionId: z.uuid(),
  authToken: z.undefined().exactOptional(),
  status: state,
  modelVersion: z.string().exactOptional(),
  results: z.object({
    verifyReferences,
    attempts: z.array(
      z.object({
        attemptId: z.int().min(1),
        attemptStatus: state,
        result: z
          .object({
            ...stableResult,
            verifyResult: z.object(match).exactOptional(),
            verifyImageHash: z.string().exactOptional(),
          })
          .exactOptional(),
        error: stableError.exactOptional(),
      }),
    ),
  }),
});

const created = { sessionId: z.uuid(), authToken: z.jwt(), status: z.literal("NotStarted") };

export const stableCreated: z.ZodType<StableSession> = z.object({
  ...created,
  modelVersion: z.string().exactOptional(),
  results: z.object({ attempts: z.tuple([]) }),
});
export const stableVerifyCreated: z.ZodType<StableVerifySession> = z.object({
  ...created,
  modelVersion: z.string().exactOptional(),
  results: z.object({ verifyReferences, attempts: z.tuple([]) }),
});
