import * as z from "zod";
import type { Endpoint } from "../../src/http/endpoint.ts";
import { type ErrorCode, errorCodes } from "../../src/http/error-codes.ts";
import type { OperationShape } from "./operation.ts";
import { headersOf, type JsonSchema, type Schemas } from "./schemas.ts";

/** Error codes by HTTP status. */
export type Errors = Map<number, ErrorCode[]>;

export interface ReferencedAnswer {
  $ref: string;
}

/** Error codes of the app for an operation: its own, and those of authentication, bodies and Face calls. */
export function errorsOf({ access, unconfigured }: Endpoint, shape: OperationShape): Errors {
  const errors: Errors = new Map();
  const add = (status: number, ...codes: readonly ErrorCode[]) => {
    errors.set(status, [...new Set([...(errors.get(status) ?? []), ...codes])]);
  };
  for (const [status, codes] of Object.entries(shape.errors ?? {})) add(Number(status), ...codes);
  if (access !== "everyone") {
    add(401, "Unspecified");
    add(503, "StorageUnavailable");
  }
  if (access === "services" || access === "reviewers") add(404, "ResourceNotFound");
  const types = Object.keys(shape.body?.content ?? {});
  if (types.length > 0) add(408, "RequestTimeout");
  if (types.includes("application/json")) {
    add(400, "InvalidRequestBody");
    add(413, "RequestBodyTooLarge");
    add(415, "BadArgument");
  }
  if (shape.callsFace) {
    add(429, "429");
    add(502, "FaceUnreachable", "FaceResponseInvalid", "FaceCredentialFailed", "FaceCredentialsRejected");
    add(504, "FaceTimeout");
  }
  add(500, "InternalServerError");
  if (unconfigured === undefined) add(503, "ServiceNotConfigured");
  return new Map([...errors].sort(([one], [other]) => one - other));
}

/** The body that `toErrorReply` writes. */
const errorShape = z
  .object({
    error: z.object({
      code: z.string().describe("Equal to `x-ms-error-code`."),
      statusCode: z
        .int()
        .optional()
        .describe("Present with 429, and in errors of the Face API's gateway that have no code."),
      message: z.string(),
      details: z
        .array(
          z.object({
            code: z.string(),
            message: z.string(),
            target: z.string().describe("The invalid field, part, header, parameter or setting."),
          }),
        )
        .optional(),
    }),
  })
  .meta({ id: "Error" });

/** Collects the error responses of all operations as components, since operations share them. */
export function createErrorAnswers(schemas: Schemas) {
  const components: Record<string, JsonSchema> = {};
  const error = schemas.schemaOf(errorShape, "output");
  return {
    components,
    /** @param isOpen errors of the Face service are passed on, with codes that are not listed. */
    answersFor(errors: Errors, isOpen: boolean): Record<string, ReferencedAnswer> {
      const answers: Record<string, ReferencedAnswer> = {};
      for (const [status, codes] of errors) {
        const name = [isOpen ? "Face" : "Own", status, ...codes].join("-");
        components[name] ??= errorAnswer(error, status, codes, isOpen);
        answers[status] = { $ref: `#/components/responses/${name}` };
      }
      if (isOpen) {
        components.FaceError ??= errorAnswer(error, undefined, [], true);
        answers.default = { $ref: "#/components/responses/FaceError" };
      }
      return answers;
    },
  };
}

function errorAnswer(
  error: JsonSchema,
  status: number | undefined,
  codes: readonly ErrorCode[],
  isOpen: boolean,
): JsonSchema {
  const passedOn =
    "An error of the Face service, passed on with its status, code and message. The service may also send a listed status.";
  return {
    description: codes.map(describeCode).join("\n") || passedOn,
    headers: headersOf(headersFor(status, isOpen)),
    content: {
      "application/json": {
        schema: error,
        ...(codes.length > 0 && { examples: Object.fromEntries(codes.map((code) => [code, exampleOf(code, status)])) }),
      },
    },
  };
}

function headersFor(status: number | undefined, isOpen: boolean) {
  const mayRetry = status === undefined || [409, 429, 503].includes(status);
  const isRepeat = status === 409 || status === 422;
  return z.object({
    "x-ms-error-code": z.string(),
    ...(mayRetry && { "retry-after": z.string().optional().describe("Seconds, or an HTTP date.") }),
    ...(isRepeat && { "repeatability-result": z.literal("rejected").optional() }),
    ...(isOpen && { "apim-request-id": z.string().optional() }),
  });
}

function describeCode(code: ErrorCode): string {
  const { meaning, retryable } = errorCodes[code];
  return `- \`${code}\`: ${meaning}${retryable ? " *Retryable.*" : ""}`;
}

function exampleOf(code: ErrorCode, status: number | undefined) {
  const message = errorCodes[code].meaning.replaceAll("`", "");
  return { value: { error: { code, ...(status === 429 && { statusCode: status }), message } } };
}
