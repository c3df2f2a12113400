import type * as z from "zod";
import type { ApiVersion } from "../face/model.ts";
import type { ErrorCode } from "./error-codes.ts";

/** What an operation takes and answers, in the words of one version: for the API's description and the tests. */
export interface OperationShape {
  /** Request headers, beside those that say who calls. */
  headers?: z.ZodObject;
  body?: BodyShape;
  /** What is answered when all is well, by status. */
  answers: Record<number, AnswerShape>;
  /** Codes of errors, by status: those that come of the operation itself, as others every operation has. */
  errors?: Record<number, readonly ErrorCode[]>;
  /** Whether the Face service is asked, whose errors are passed on. Default false. */
  asksFace?: boolean;
}

export interface BodyShape {
  /** Default true. */
  required?: boolean;
  /** By media type. */
  content: Record<string, BodyContent>;
}

export interface BodyContent {
  shape: z.ZodType;
  /** What this deployment refuses though the version allows it: JSON Schema, which holds beside the shape. */
  rule?: object | undefined;
}

export interface AnswerShape {
  description: string;
  headers?: z.ZodObject;
  json?: z.ZodType | undefined;
  /** Media types of a body that is no JSON. With neither the body is empty. */
  bytes?: readonly string[];
}

/** What a description depends on beside the code. */
export interface Deployment {
  /** The version in which the Face service is called. */
  upstream: ApiVersion;
  allowDeviceSetInClient: boolean;
  allowAnonymous: boolean;
}
