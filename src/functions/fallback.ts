import type { HttpMethod } from "@azure/functions";
import * as z from "zod";
import { ApiError } from "../errors.ts";
import { answeredMethods, defineEndpoint, type Endpoint, resourceNotFound } from "../http/endpoint.ts";

/** All methods but TRACE, for which the library cannot construct a request. */
const everyMethod: HttpMethod[] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/**
 * Routes for requests that match no other route: 404 for unknown paths, 405 for wrong methods. Without them the host
 * answers 404 with an empty body to both.
 */
export function fallbackEndpoints(endpoints: readonly Endpoint[]): Endpoint[] {
  return ["face", "api"].map((root) =>
    defineEndpoint({
      name: `${root}Fallback`,
      summary: `Answer unknown paths and methods below ${root}`,
      methods: everyMethod,
      route: `${root}/{*rest}`,
      access: "everyone",
      params: z.object({ rest: z.string().optional() }),
      async handle(_app, { method, url }) {
        const allowed = methodsOf(endpoints, url.pathname).join(", ");
        if (allowed === "") throw resourceNotFound();
        throw new ApiError(405, "MethodNotAllowed", `${method} is not supported. Supported: ${allowed}.`, {
          headers: { allow: allowed },
        });
      },
    }),
  );
}

function methodsOf(endpoints: readonly Endpoint[], path: string): HttpMethod[] {
  return endpoints
    .filter(({ route, versions = [""] }) =>
      versions.some((version) => pattern(route.replace("{apiVersion}", version)).test(path)),
    )
    .flatMap(answeredMethods);
}

function pattern(route: string): RegExp {
  const segments = route.split("/").map((segment) => (segment.startsWith("{") ? "[^/]+" : RegExp.escape(segment)));
  return new RegExp(`^/${segments.join("/")}/?$`, "i");
}
