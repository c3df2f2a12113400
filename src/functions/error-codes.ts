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
    async handle() {
      // Loaded on demand, because the texts would lengthen the start of an instance.
      const { errorGuide } = await import("../error-guide/guide.ts");
      return { status: 200, json: { value: errorGuide }, cacheSeconds };
    },
  }),
];
