import functions, {
  type HttpRequest,
  type HttpRequestInit,
  type HttpResponseInit,
  type InvocationContext,
} from "@azure/functions";

/** A parsed log line. */
export interface LogLine {
  level: string;
  text: string;
  fields: Record<string, unknown>;
}

/** The context of one invocation, and the lines that the function logs. */
export function createInvocation(functionName = "aFunction"): { context: InvocationContext; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const context = new functions.InvocationContext({
    functionName,
    invocationId: "an-invocation-id",
    logHandler: (level, ...args) => {
      const text = args.map(String).join(" ");
      lines.push({ level, text, fields: JSON.parse(text) });
    },
  });
  return { context, lines };
}

export function createRequest(init: HttpRequestInit = {}): HttpRequest {
  return new functions.HttpRequest({ method: "GET", url: "http://localhost/api/something", ...init });
}

/** A response of the app. */
export interface Answer {
  status: number;
  headers: Headers;
  bytes: Buffer;
  text: string;
  /** Undefined if the body is not JSON. */
  json: unknown;
  /** The code of an error. */
  code: string | undefined;
}

export function readAnswer({ status = 200, headers, body }: HttpResponseInit): Answer {
  if (body !== undefined && body !== null && !(body instanceof Uint8Array))
    throw new TypeError("the body is not bytes");
  const bytes = Buffer.from(body ?? []);
  const answer = { status, headers: new Headers(headers), bytes, text: bytes.toString() };
  const isJson = bytes.length > 0 && answer.headers.get("content-type")?.startsWith("application/json");
  const json = isJson ? JSON.parse(answer.text) : undefined;
  return { ...answer, json, code: json?.error?.code };
}
