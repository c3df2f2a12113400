import type { IncomingMessage, ServerResponse } from "node:http";
import type { CorsSettings } from "./app-loader.ts";

/**
 * Applies the CORS rules like Core Tools: any method and any header from the listed origins. Answers preflights itself and
 * then returns true; they never reach the app.
 */
export function applyCors(settings: CorsSettings, message: IncomingMessage, response: ServerResponse): boolean {
  const { origin } = message.headers;
  if (origin === undefined) {
    return false;
  }
  const anyOrigin = settings.origins.includes("*");
  const allowed = anyOrigin || settings.origins.some((known) => known.toLowerCase() === origin.toLowerCase());
  if (allowed) {
    response.setHeader("access-control-allow-origin", anyOrigin && !settings.credentials ? "*" : origin);
    if (settings.credentials) {
      response.setHeader("access-control-allow-credentials", "true");
    }
  }
  if (!anyOrigin || settings.credentials) {
    response.setHeader("vary", "Origin");
  }
  const requestedMethod = message.headers["access-control-request-method"];
  if (message.method !== "OPTIONS" || requestedMethod === undefined) {
    return false;
  }
  if (allowed) {
    response.setHeader("access-control-allow-methods", requestedMethod);
    const requestedHeaders = message.headers["access-control-request-headers"];
    if (requestedHeaders !== undefined) {
      response.setHeader("access-control-allow-headers", requestedHeaders);
    }
  }
  response.writeHead(204).end();
  return true;
}
