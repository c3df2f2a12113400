import { subscribe } from "node:diagnostics_channel";
import { IncomingMessage, ServerResponse } from "node:http";

/** Under this header the host names the invocation to which a request on its way to the worker belongs. */
const invocationHeader = "x-ms-invocation-id";

/** The headers of a request as they came, by the id of its invocation; undefined where they are not known apart. */
export type TrueHeaders = (invocationId: string) => Headers | undefined;

/**
 * The headers of a request as they came, by invocation.
 *
 * With HTTP streaming, the library makes a request's headers of the invocation's metadata, and the host fills that first
 * with what the caller sent: a query parameter or a body's property named `Headers` takes the place of all headers, a
 * principal's among them, which the platform would never have let through. So who a caller is gets read from the request
 * itself, where it arrives in this process.
 *
 * @returns no headers at all for a caller that has gone already; undefined where no request arrives this way, as without
 *   streaming: then the library's own are true.
 */
export function watchTrueHeaders(): TrueHeaders {
  const arrived = new Map<string, Headers>();
  let isStreaming = false;
  subscribe("http.server.request.start", (message) => {
    const { request, response } = message as { request?: unknown; response?: unknown };
    if (!(request instanceof IncomingMessage) || !(response instanceof ServerResponse)) return;
    const invocationId = request.headers[invocationHeader];
    if (typeof invocationId !== "string") return;
    isStreaming = true;
    arrived.set(invocationId, toHeaders(request.headersDistinct));
    response.once("close", () => arrived.delete(invocationId));
  });
  return (invocationId) => arrived.get(invocationId) ?? (isStreaming ? new Headers() : undefined);
}

function toHeaders(distinct: NodeJS.Dict<string[]>): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(distinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  return headers;
}
