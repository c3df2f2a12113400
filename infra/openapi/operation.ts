import type * as z from "zod";
import type { ApiVersion } from "../../src/face/model.ts";
import type { ErrorCode } from "../../src/http/error-codes.ts";

/** Bodies and headers of an operation in one version of the API: input for the OpenAPI document and for tests. */
export interface OperationShape {
  /** Request headers, besides those for authentication. */
  headers?: z.ZodObject;
  body?: BodyShape;
  /** Successful responses, by status. */
  answers: Record<number, AnswerShape>;
  /** Error codes of the operation itself, by status. The OpenAPI document adds the errors that every operation may have. */
  errors?: Record<number, readonly ErrorCode[]>;
  /** Whether the Face service is called, whose errors are passed on. Default false. */
  callsFace?: boolean;
}

export interface BodyShape {
  /** Default true. */
  required?: boolean;
  /** By media type. */
  content: Record<string, z.ZodType>;
}

export interface AnswerShape {
  description: string;
  headers?: z.ZodObject;
  json?: z.ZodType | undefined;
  /** Media types of a body that is not JSON. Without `json` and `bytes` the body is empty. */
  bytes?: readonly string[];
}

/** Operations by the name of their endpoint. The app's own operations ignore the version. */
export type Operations = Record<string, (version: ApiVersion) => OperationShape>;
