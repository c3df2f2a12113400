import type { HttpMethod } from "@azure/functions";
import * as z from "zod";
import { ApiError } from "../errors.ts";
import { type ApiVersion, apiVersions } from "../face/model.ts";
import { answeredMethods, defineEndpoint, type Endpoint, noQuery, resourceNotFound } from "../http/endpoint.ts";
import { isSpokenIn, translateRoute } from "./dialects.ts";

/** But TRACE, of which the library can make no request. */
const everyMethod: HttpMethod[] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/**
 * Catches what no other route takes: unknown paths and wrong methods. Without these the host answers 404 with an empty
 * body, which tells a caller nothing.
 */
export function fallbackEndpoints(endpoints: readonly Endpoint[]): Endpoint[] {
  const common = {
    methods: everyMethod,
    access: "everyone",
    params: z.object({ rest: z.string().optional() }),
    query: noQuery,
  } as const;
  return [
    defineEndpoint({
      ...common,
      name: "faceFallback",
      summary: "Answer unknown operations of the Face API",
      route: "face/{*rest}",
      async handle(_app, { method, url }) {
        const { pathname } = url;
        const supported = `Versions supported: ${apiVersions.join(", ")}.`;
        const version = apiVersions.find((known) => pathname.startsWith(`/face/${known}/`));
        if (version === undefined) throw resourceNotFound(`There is no such operation of the Face API. ${supported}`);
        const elsewhere = versionsWith(endpoints, method, pathname, version);
        if (elsewhere.length > 0) {
          throw resourceNotFound(`${version} has no such operation, but ${elsewhere.join(" and ")}. ${supported}`);
        }
        const own = endpoints.filter(({ route }) => isSpokenIn(version, route));
        refuseMethod(own, method, pathname);
        const operations = own.map(({ methods, route }) => `${methods} /${route.replace("{apiVersion}", version)}`);
        throw resourceNotFound(`${version} has no such operation. It has ${operations.join(", ")}. ${supported}`);
      },
    }),
    defineEndpoint({
      ...common,
      name: "apiFallback",
      summary: "Answer unknown paths",
      route: "api/{*rest}",
      async handle(_app, { method, url }) {
        refuseMethod(endpoints, method, url.pathname);
        throw resourceNotFound();
      },
    }),
  ];
}

/** Versions that have the operation which was asked for in the words of one that has not. */
function versionsWith(endpoints: readonly Endpoint[], method: string, path: string, version: ApiVersion): ApiVersion[] {
  const meant = endpoints.filter(
    (endpoint) =>
      answeredMethods(endpoint).some((known) => known === method) &&
      pattern(translateRoute(version, endpoint.route)).test(path),
  );
  return apiVersions.filter((other) => meant.some(({ route }) => isSpokenIn(other, route)));
}

function refuseMethod(endpoints: readonly Endpoint[], method: string, path: string): void {
  const allowed = endpoints.filter(({ route }) => pattern(route).test(path)).flatMap(answeredMethods);
  if (allowed.length === 0) return;
  throw new ApiError(405, "MethodNotAllowed", `${method} is not possible here. Possible: ${allowed.join(", ")}.`, {
    headers: { allow: allowed.join(", ") },
  });
}

function pattern(route: string): RegExp {
  const segments = route.split("/").map((segment) => (segment.startsWith("{") ? "[^/]+" : RegExp.escape(segment)));
  return new RegExp(`^/${segments.join("/")}/?$`, "i");
}
