import * as z from "zod";
import { codeSources } from "../guidance.ts";
import { defineEndpoint, type Endpoint } from "../http/endpoint.ts";

/** The codes change with a deployment only. */
const cacheSeconds = 3600;

/** Guidance for all error codes and reasons, the same for every caller and deployment. No other service is called. */
export const errorCodeEndpoints: Endpoint[] = [
  defineEndpoint({
    name: "listErrorCodes",
    summary: "List all error codes and reasons, with advice for apps and their users",
    methods: ["GET"],
    route: "api/error-codes",
    access: "everyone",
    describe: () => ({
      answers: {
        200: {
          description: "All codes, by source and code. The example is the complete list. May be cached.",
          json: z.object({ value: z.array(errorCodeShape()) }),
        },
      },
    }),
    async handle() {
      // Loaded on demand, because the texts would lengthen the start of an instance.
      const { errorGuide } = await import("../error-guide/guide.ts");
      return { status: 200, json: { value: errorGuide }, cacheSeconds };
    },
  }),
];

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
