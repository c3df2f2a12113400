import * as z from "zod";
import { codeSources } from "../../../src/guidance.ts";
import type { Operations } from "../operation.ts";

/** Health, error codes and the description itself. */
export const appOperations: Operations = {
  getHealth: () => ({
    answers: {
      200: {
        description: "The app is running. Settings and dependencies are not checked.",
        json: z.object({ status: z.literal("alive") }),
      },
    },
  }),
  getReadiness: () => ({
    answers: { 200: { description: "All dependencies are available.", json: readinessShape() } },
    errors: { 503: ["NotReady"] },
  }),
  listErrorCodes: () => ({
    answers: {
      200: {
        description: "All codes, by source and code. The example is the complete list. May be cached.",
        json: z.object({ value: z.array(errorCodeShape()) }),
      },
    },
  }),
  getApiDescription: () => ({
    answers: {
      200: {
        description: "An OpenAPI document.",
        json: z.looseObject({ openapi: z.string().regex(/^3\.1\.\d$/) }),
      },
    },
  }),
  getApiReference: () => ({ answers: { 200: { description: "The page.", bytes: ["text/html"] } } }),
  getApiReferenceAsset: () => ({
    answers: { 200: { description: "The file.", bytes: ["text/css", "text/javascript"] } },
    errors: { 404: ["ResourceNotFound"] },
  }),
};

function readinessShape() {
  const degraded = z.array(z.literal("timer")).describe("Functions that are overdue.");
  return z.union([
    z.object({ status: z.literal("ready") }),
    z.object({ status: z.literal("degraded"), degraded, overdueSince: z.iso.datetime() }),
  ]);
}

function errorCodeShape() {
  return z
    .object({
      code: z
        .string()
        .describe(
          "As in responses, in `reasons`, or in an attempt's error. SDKs write codes of devices in their own way: compare " +
            "without regard to case and underscores (`FaceWithMaskDetected`, `faceWithMaskDetected`, " +
            "`FACE_WITH_MASK_DETECTED`).",
        ),
      source: z
        .enum(codeSources)
        .describe(
          "`app`: errors of this app's responses. `decision`: reasons of a session's decision. `device`: errors of attempts " +
            "and of the device's SDK.",
        ),
      status: z.int().optional().describe("HTTP status. Only for the source `app`."),
      meaning: z.string().describe("For developers. Markdown."),
      retryable: z.boolean().describe("Whether the same request, or another attempt of the user, may succeed later."),
      advice: z.string().describe("One sentence to show to the user or to act on. Markdown."),
    })
    .meta({ id: "ErrorCode" });
}
